// Changes an assistant.
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "react-router";
import { ApiError, errorParts } from "@/api/error";
import { assistantQuery } from "@/features/assistants/api";
import { AssistantForm } from "@/features/assistants/assistant-form";
import { DeleteAssistant } from "@/features/assistants/delete-assistant";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page, PageHeading } from "@/ui/page";
import { ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { toast } from "@/ui/toast";
import { RequireManager } from "../guards";
import { paths } from "../paths";
import { NotFound } from "./not-found";

function EditAssistant() {
  const t = useT();
  const { id = "" } = useParams();
  const navigate = useNavigate();
  // What is being edited stays as it was loaded: a refetch must not pull the text from under the writer.
  const query = useQuery({ ...assistantQuery(id), refetchOnWindowFocus: false, refetchOnReconnect: false });
  const assistant = query.data;
  const title = t("form.editTitle", { name: assistant?.name ?? "" });
  useTitle(title);
  if (query.error instanceof ApiError && query.error.status === 404) return <NotFound />;
  return (
    <Page width="form">
      {query.isError && (
        <ErrorState
          title={t("error.couldNotLoad", { things: t("assistant.things") })}
          {...errorParts(query.error, t)}
          onRetry={() => void query.refetch()}
        />
      )}
      {query.isPending && (
        <Loading label={t("assistant.loading")}>
          <SkeletonRows rows={8} />
        </Loading>
      )}
      {assistant && (
        <>
          <PageHeading className="mb-7 [overflow-wrap:anywhere]">{title}</PageHeading>
          <AssistantForm
            assistant={assistant}
            onCancel={() => void navigate(paths.assistant(id))}
            onSaved={() => {
              toast({ text: t("done.saved") });
              void navigate(paths.assistant(id), { replace: true });
            }}
          />
          <div className="mt-8 border-t pt-4">
            <DeleteAssistant
              assistant={assistant}
              onDeleted={() => void navigate(paths.assistants, { replace: true })}
            />
          </div>
        </>
      )}
    </Page>
  );
}

export function Component() {
  return (
    <RequireManager>
      <EditAssistant />
    </RequireManager>
  );
}
