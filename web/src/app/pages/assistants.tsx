// All assistants.
import { AssistantList } from "@/features/assistants/assistant-list";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page } from "@/ui/page";

export function Component() {
  const t = useT();
  useTitle(t("assistants.title"));
  return (
    <Page width="wide">
      <AssistantList />
    </Page>
  );
}
