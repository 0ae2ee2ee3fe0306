// Where one lands: a greeting, a place to ask, the assistants, and what was last worked on.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "react-router";
import { errorParts } from "@/api/error";
import { canManage, useSession } from "@/api/session";
import { modelListQuery, someAssistantsQuery } from "@/features/assistants/api";
import { AssistantCard, AssistantCardSkeletons, assistantGrid } from "@/features/assistants/assistant-card";
import { NoAssistants } from "@/features/assistants/assistant-list";
import { draftPlace, writeDraft } from "@/features/conversations/drafts";
import { RecentConversations } from "@/features/conversations/recent";
import { AskBox } from "@/features/dashboard/ask-box";
import { greeting } from "@/features/dashboard/greeting";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page, PageHeading } from "@/ui/page";
import { ErrorState, Loading, Skeleton } from "@/ui/states";
import { paths } from "../paths";

/** As many cards as fit two rows; the rest is one click away. */
const SHOWN = 6;

export function Component() {
  const t = useT();
  const navigate = useNavigate();
  const user = useSession((state) => state.user);
  const list = useQuery(someAssistantsQuery);
  const models = useQuery(modelListQuery).data?.models ?? [];
  const assistants = list.data?.assistants ?? [];
  useTitle(t("dashboard.title"));
  if (user === null) return null;

  const ask = (assistantId: string, text: string) => {
    // The text travels as a draft: whatever happens on the way, it is in the composer.
    writeDraft(user.id, draftPlace(null, assistantId), text);
    void navigate(paths.newChatWith(assistantId), { state: { ask: text } });
  };

  return (
    <Page>
      <PageHeading>{greeting(new Date().getHours(), t)}</PageHeading>
      <div className="mt-6">
        {list.isPending && (
          <Loading label={t("assistants.loading")}>
            <Skeleton className="h-28 rounded-panel" />
            <div className="mt-10">
              <AssistantCardSkeletons count={3} />
            </div>
          </Loading>
        )}
        {list.isError && (
          <ErrorState
            title={t("error.couldNotLoad", { things: t("assistants.things") })}
            {...errorParts(list.error, t)}
            onRetry={() => void list.refetch()}
          />
        )}
        {list.isSuccess && assistants.length === 0 && <NoAssistants manager={canManage(user.role)} />}
        {assistants.length > 0 && (
          <>
            <AskBox assistants={assistants} onAsk={ask} />
            <section className="mt-10" aria-labelledby="dashboard-assistants">
              <div className="flex items-baseline justify-between gap-4">
                <h2 id="dashboard-assistants" className="font-display text-h3 font-semibold">
                  {t("assistants.title")}
                </h2>
                <Link
                  to={paths.assistants}
                  className="text-md font-semibold text-primary-text underline decoration-primary-text/40 underline-offset-3"
                >
                  {t("dashboard.allAssistants")}
                </Link>
              </div>
              <ul className={`${assistantGrid} mt-3`}>
                {assistants.slice(0, SHOWN).map((assistant) => (
                  <li key={assistant.id}>
                    <AssistantCard assistant={assistant} models={models} canEdit={false} level="h3" />
                  </li>
                ))}
              </ul>
            </section>
          </>
        )}
      </div>
      <section className="mt-10" aria-labelledby="dashboard-recent">
        <h2 id="dashboard-recent" className="mb-1.5 font-display text-h3 font-semibold">
          {t("dashboard.continue")}
        </h2>
        <RecentConversations />
      </section>
    </Page>
  );
}
