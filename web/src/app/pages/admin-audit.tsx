// What was done, by whom and when.
import { Audit } from "@/features/admin/audit";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page } from "@/ui/page";

export function Component() {
  const t = useT();
  useTitle(t("audit.title"));
  return (
    <Page width="wide">
      <Audit />
    </Page>
  );
}
