// Asks before the page is left while files are on their way; it stands on the page, whichever tab is open.
import { useT } from "@/i18n";
import { LeaveGuard } from "@/ui/leave-guard";
import { dropAllUploads, isUploading } from "./upload";

export function UploadGuard() {
  const t = useT();
  return (
    <LeaveGuard when={isUploading} title={t("files.leaveTitle")} body={t("files.leaveBody")} onLeave={dropAllUploads} />
  );
}
