// One assistant: what it is, the files it knows, and for managers what a question finds in them.
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { ApiError, errorParts } from "@/api/error";
import { canManage, useSession } from "@/api/session";
import type { PassagePlace } from "@/api/types";
import { assistantQuery } from "@/features/assistants/api";
import { AssistantOverview } from "@/features/assistants/assistant-overview";
import { RestoreAssistant } from "@/features/assistants/delete-assistant";
import { FilePanel } from "@/features/knowledge/file-panel";
import { UploadGuard } from "@/features/knowledge/upload-guard";
import { useT, withWords } from "@/i18n";
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

const RetrievalTest = lazy(async () => ({
  default: (await withWords("knowledge", import("@/features/knowledge/retrieval-test"))).RetrievalTest,
}));
const PassageDialog = lazy(async () => ({
  default: (await withWords("knowledge", import("@/features/conversations/passage-dialog"))).PassageDialog,
}));

type Tab = "overview" | "files" | "test";

/** The tab that the address names, if this person may open it. */
function tabOf(name: string | null, mayTest: boolean): Tab {
  if (name === "test") return mayTest ? name : "overview";
  return name === "files" ? name : "overview";
}

export function Component() {
  const t = useT();
  const { id = "" } = useParams();
  const [params, setParams] = useSearchParams();
  const manager = useSession((state) => canManage(state.user?.role));
  const query = useQuery(assistantQuery(id));
  const assistant = query.data;
  const [passage, setPassage] = useState<PassagePlace | null>(null);
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

  // A deleted assistant answers nothing, so there is nothing to try.
  const mayTest = manager && !assistant.is_deleted;
  const tab = tabOf(params.get("tab"), mayTest);
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
        onValueChange={(next) => setParams(next === "overview" ? {} : { tab: next }, { replace: true })}
      >
        <TabsList aria-label={t("assistant.sections")}>
          <TabsTrigger value="overview">{t("assistant.overview")}</TabsTrigger>
          <TabsTrigger value="files">
            {t("assistant.files")}
            <span className="tabular font-normal text-muted-foreground">{formatNumber(assistant.file_count)}</span>
          </TabsTrigger>
          {mayTest && <TabsTrigger value="test">{t("assistant.test")}</TabsTrigger>}
        </TabsList>
        <TabsContent value="overview">
          <AssistantOverview assistant={assistant} />
        </TabsContent>
        <TabsContent value="files">
          <FilePanel assistantId={assistant.id} frozen={assistant.is_deleted} onOpenPassage={setPassage} />
        </TabsContent>
        {mayTest && (
          <TabsContent value="test">
            <Suspense
              fallback={
                <Loading label={t("assistant.loading")}>
                  <SkeletonRows />
                </Loading>
              }
            >
              <RetrievalTest
                assistantId={assistant.id}
                hasFiles={assistant.file_count > 0}
                onOpenPassage={setPassage}
              />
            </Suspense>
          </TabsContent>
        )}
      </Tabs>
      <Suspense>{passage !== null && <PassageDialog place={passage} onClose={() => setPassage(null)} />}</Suspense>
      <UploadGuard />
    </Page>
  );
}
