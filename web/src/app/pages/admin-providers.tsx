// How each way to a model fares.
import { Providers } from "@/features/governance/providers";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page } from "@/ui/page";

export function Component() {
  const t = useT();
  useTitle(t("providers.title"));
  return (
    <Page width="wide">
      <Providers />
    </Page>
  );
}
