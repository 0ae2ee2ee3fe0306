// Says when this computer is offline, and for a moment when it is back.
import { WifiOff } from "lucide-react";
import { useEffect, useSyncExternalStore } from "react";
import { t as translate, useT } from "@/i18n";
import { toast } from "@/ui/toast";

function subscribe(onChange: () => void): () => void {
  window.addEventListener("online", onChange);
  window.addEventListener("offline", onChange);
  return () => {
    window.removeEventListener("online", onChange);
    window.removeEventListener("offline", onChange);
  };
}

export function ConnectionNotice() {
  const t = useT();
  const online = useSyncExternalStore(subscribe, () => navigator.onLine);
  useEffect(() => {
    const back = () => toast({ text: translate("online"), duration: 3_000 });
    window.addEventListener("online", back);
    return () => window.removeEventListener("online", back);
  }, []);
  if (online) return null;
  return (
    <p
      role="status"
      className="flex items-center justify-center gap-2 bg-warning-surface px-4 py-1.5 text-md font-semibold text-warning"
    >
      <WifiOff className="size-4 shrink-0 stroke-[1.75]" aria-hidden />
      {t("offline")}
    </p>
  );
}
