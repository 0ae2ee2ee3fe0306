// All assistants as cards, filtered while typing; the filter lives in the address.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useEffect, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { errorParts } from "@/api/error";
import { canManage, useSession } from "@/api/session";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { useDebounced } from "@/lib/use-debounced";
import { announce } from "@/ui/announcer";
import { Button } from "@/ui/button";
import { PageHeading } from "@/ui/page";
import { SearchInput } from "@/ui/search-input";
import { Empty, ErrorState, Loading } from "@/ui/states";
import { assistantsQuery, modelListQuery } from "./api";
import { AssistantCard, AssistantCardSkeletons, assistantGrid } from "./assistant-card";

export function AssistantList() {
  const t = useT();
  const manager = useSession((state) => canManage(state.user?.role));
  const [params, setParams] = useSearchParams();
  const [typed, setTyped] = useState(params.get("q") ?? "");
  const search = useDebounced(typed.trim(), 200);
  const includeDeleted = manager && params.get("deleted") === "1";
  const list = useInfiniteQuery(assistantsQuery({ search, includeDeleted }));
  const models = useQuery(modelListQuery).data?.models ?? [];
  const found = list.data?.pages.flatMap((page) => page.assistants) ?? [];
  const total = list.data?.pages.at(-1)?.total ?? 0;
  const nothing = list.isSuccess && found.length === 0;

  const keep = (name: string, value: string) =>
    setParams(
      (before) => {
        if (value === "") before.delete(name);
        else before.set(name, value);
        return before;
      },
      { replace: true },
    );
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new search changes the address.
  useEffect(() => {
    if (search !== (params.get("q") ?? "")) keep("q", search);
  }, [search]);
  useEffect(() => {
    if (search !== "" && list.isSuccess && !list.isPlaceholderData) announce(t("assistants.found", { count: total }));
  }, [search, total, list.isSuccess, list.isPlaceholderData, t]);

  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <PageHeading className="me-auto">{t("assistants.title")}</PageHeading>
        {manager && (
          <Button asChild variant="primary">
            <Link to="/assistants/new">
              <Plus aria-hidden />
              {t("assistants.create")}
            </Link>
          </Button>
        )}
      </div>
      <search className="mt-5 flex flex-wrap items-center gap-x-5 gap-y-3">
        <SearchInput className="sm:w-80" label={t("assistants.search")} value={typed} onChange={setTyped} />
        {manager && (
          <label className="flex min-h-9 items-center gap-2 text-base">
            <input
              type="checkbox"
              className="size-4 accent-primary"
              checked={includeDeleted}
              onChange={(event) => keep("deleted", event.target.checked ? "1" : "")}
            />
            {t("assistants.showDeleted")}
          </label>
        )}
      </search>
      <div className="mt-6">
        {list.isPending && (
          <Loading label={t("assistants.loading")}>
            <AssistantCardSkeletons />
          </Loading>
        )}
        {list.isError && (
          <ErrorState
            title={t("error.couldNotLoad", { things: t("assistants.things") })}
            {...errorParts(list.error, t)}
            onRetry={() => void list.refetch()}
          />
        )}
        {nothing && search !== "" && (
          <Empty title={t("assistants.noHit.title", { q: search })} body={t("assistants.noHit.body")}>
            <Button onClick={() => setTyped("")}>{t("assistants.clearSearch")}</Button>
          </Empty>
        )}
        {nothing && search === "" && <NoAssistants manager={manager} />}
        {found.length > 0 && (
          <ul className={cn(assistantGrid, list.isPlaceholderData && "opacity-60")}>
            {found.map((assistant) => (
              <li key={assistant.id}>
                <AssistantCard assistant={assistant} models={models} canEdit={manager} />
              </li>
            ))}
          </ul>
        )}
        {list.hasNextPage && (
          <div className="mt-6 flex justify-center">
            <Button pending={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              {t("assistants.more")}
            </Button>
          </div>
        )}
      </div>
    </>
  );
}

/** What a server without assistants says: to whoever can change it, and to whoever cannot. */
export function NoAssistants({ manager }: { manager: boolean }) {
  const t = useT();
  if (!manager) return <Empty title={t("assistants.emptyUser.title")} body={t("assistants.emptyUser.body")} />;
  return (
    <Empty title={t("assistants.emptyManager.title")} body={t("assistants.emptyManager.body")}>
      <Button asChild variant="primary">
        <Link to="/assistants/new">{t("assistants.create")}</Link>
      </Button>
    </Empty>
  );
}
