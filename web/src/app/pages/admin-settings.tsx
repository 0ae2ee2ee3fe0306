// The system's settings.
import { SystemSettingsPage } from "@/features/governance/system-settings";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page, PageHeading } from "@/ui/page";

export function Component() {
  const t = useT();
  useTitle(t("system.title"));
  return (
    <Page width="form">
      <PageHeading className="mb-6">{t("system.title")}</PageHeading>
      <SystemSettingsPage />
    </Page>
  );
}
