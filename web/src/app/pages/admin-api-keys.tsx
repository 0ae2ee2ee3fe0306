// The keys for providers of models.
import { Keys } from "@/features/admin/keys";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page } from "@/ui/page";

export function Component() {
  const t = useT();
  useTitle(t("keys.title"));
  return (
    <Page width="wide">
      <Keys />
    </Page>
  );
}
