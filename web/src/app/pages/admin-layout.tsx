// The frame of the administrator's pages: a rule on top, the word “Admin”, and who may come in.
import { Outlet } from "react-router";
import { useT } from "@/i18n";
import { InlineNotice } from "@/ui/notice";
import { SidebarButton } from "@/ui/page";
import { RequireManager } from "../guards";

/** Browsers call plain HTTP insecure everywhere but on the server's own machine, which is what matters here. */
function UnencryptedNotice() {
  const t = useT();
  if (window.isSecureContext !== false) return null;
  return (
    <InlineNotice tone="warning" className="mt-3">
      <p className="font-semibold">{t("admin.unencrypted")}</p>
      <p>{t("admin.unencryptedBody")}</p>
    </InlineNotice>
  );
}

export function Component() {
  const t = useT();
  return (
    <RequireManager>
      <div className="border-t-3 border-primary">
        <div className="mx-auto w-full max-w-[1280px] px-4 pt-2 sm:px-8">
          <div className="flex items-center gap-1.5">
            <SidebarButton />
            <p className="text-sm font-semibold text-primary-text">{t("admin.title")}</p>
          </div>
          <UnencryptedNotice />
        </div>
      </div>
      {/* The button that opens the sidebar stands beside the word, not once more above the heading. */}
      <div className="contents [&_[data-slot=sidebar-button]]:hidden">
        <Outlet />
      </div>
    </RequireManager>
  );
}
