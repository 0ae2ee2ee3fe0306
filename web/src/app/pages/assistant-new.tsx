// A new assistant.
import { useNavigate } from "react-router";
import { AssistantForm } from "@/features/assistants/assistant-form";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page, PageHeading } from "@/ui/page";
import { toast } from "@/ui/toast";
import { RequireManager } from "../guards";
import { paths } from "../paths";

function NewAssistant() {
  const t = useT();
  const navigate = useNavigate();
  useTitle(t("form.newTitle"));
  return (
    <Page width="form">
      <PageHeading className="mb-7">{t("form.newTitle")}</PageHeading>
      <AssistantForm
        assistant={null}
        onCancel={() => void navigate(paths.assistants)}
        onSaved={(saved) => {
          toast({ text: t("form.created", { name: saved.name }) });
          // Its files come next.
          void navigate(`${paths.assistant(saved.id)}?tab=files`, { replace: true });
        }}
      />
    </Page>
  );
}

export function Component() {
  return (
    <RequireManager>
      <NewAssistant />
    </RequireManager>
  );
}
