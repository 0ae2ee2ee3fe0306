// One assistant: what it is, and the files it knows.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearchParams } from "react-router";
import { ApiError, errorParts } from "@/api/error";
import { canManage, useSession } from "@/api/session";
import { assistantQuery } from "@/features/assistants/api";
import { AssistantOverview } from "@/features/assistants/assistant-overview";
import { RestoreAssistant } from "@/features/assistants/delete-assistant";
import { FilePanel } from "@/features/knowledge/file-panel";
import { UploadGuard } from "@/features/knowledge/upload-guard";
import { useT } from "@/i18n";
import { formatNumber } from "@/lib/format";
import { useTitle } from "@/lib/use-title";
import { Avatar } from "@/ui/badge";
import { Button } from "@/ui/button";
import { InlineNotice } from "@/ui/notice";
import { Page, PageHeading } from "@/ui/page";
import { ErrorState, Loading, Skeleton, SkeletonRows } from "@/ui/states";
import { Tabs, TabsContent, TabsList, TabsTrigger } from "@/ui/tabs";
import { paths } from "../paths";
import { NotFound } from "./not-found";

export function Component() {
  const t = useT();
  const { id = "" } = useParams();
  const [params, setParams] = useSearchParams();
  const manager = useSession((state) => canManage(state.user?.role));
  const query = useQuery(assistantQuery(id));
  const assistant = query.data;
  useTitle(assistant?.name ?? t("assistants.title"));

  if (query.error instanceof ApiError && query.error.status === 404) return <NotFound />;
  if (query.isError) {
    return (
      <Page>
        <ErrorState
          title={t("error.couldNotLoad", { things: t("assistant.things") })}
          {...errorParts(query.error, t)}
          onRetry={() => void query.refetch()}
        />
      </Page>
    );
  }
  if (assistant === undefined) {
    return (
      <Page>
        <Loading label={t("assistant.loading")}>
          <div className="flex items-center gap-4">
            <Skeleton className="size-12 rounded-full" />
            <Skeleton className="h-8 w-64 max-w-full" />
          </div>
          <SkeletonRows className="mt-14" />
        </Loading>
      </Page>
    );
  }

  const tab = params.get("tab") === "files" ? "files" : "overview";
  return (
    <Page>
      <header className="flex flex-wrap items-center gap-x-4 gap-y-4">
        <div className="me-auto flex min-w-0 items-center gap-4">
          <Avatar name={assistant.name} src={assistant.avatar_url} size="lg" />
          <PageHeading className="min-w-0 [overflow-wrap:anywhere]">
            <bdi>{assistant.name}</bdi>
          </PageHeading>
        </div>
        {assistant.is_deleted ? (
          manager && <RestoreAssistant assistant={assistant} />
        ) : (
          <div className="flex flex-wrap gap-2">
            {manager && (
              <Button asChild>
                <Link to={paths.editAssistant(assistant.id)}>{t("action.edit")}</Link>
              </Button>
            )}
            <Button asChild variant="primary">
              <Link to={paths.newChatWith(assistant.id)}>{t("action.startChat")}</Link>
            </Button>
          </div>
        )}
      </header>
      {assistant.is_deleted && (
        <InlineNotice tone="warning" className="mt-5">
          {t("assistant.deletedNote")}
        </InlineNotice>
      )}
      <Tabs
        className="mt-6"
        value={tab}
        onValueChange={(next) => setParams(next === "files" ? { tab: next } : {}, { replace: true })}
      >
        <TabsList aria-label={t("assistant.sections")}>
          <TabsTrigger value="overview">{t("assistant.overview")}</TabsTrigger>
          <TabsTrigger value="files">
            {t("assistant.files")}
            <span className="tabular font-normal text-muted-foreground">{formatNumber(assistant.file_count)}</span>
          </TabsTrigger>
        </TabsList>
        <TabsContent value="overview">
          <AssistantOverview assistant={assistant} />
        </TabsContent>
        <TabsContent value="files">
          <FilePanel assistantId={assistant.id} frozen={assistant.is_deleted} />
        </TabsContent>
      </Tabs>
      <UploadGuard />
    </Page>
  );
}
