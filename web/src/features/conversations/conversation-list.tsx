// The person's conversations, newest first, for the sidebar (ui rule R32).
import { useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Link, useMatch, useNavigate } from "react-router";
import { errorSentence } from "@/api/error";
import type { Conversation } from "@/api/types";
import { type T, useI18n, useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { Button } from "@/ui/button";
import { Loading, SkeletonRows } from "@/ui/states";
import { conversationsQuery } from "./api";
import { ChatMenu } from "./chat-menu";
import { type GroupName, groupByDate } from "./date-groups";
import { RenameField } from "./rename-field";
import { useStreams } from "./streams";

/** The next page loads when the end is nearer than this, in pixels. */
const LOAD_DISTANCE = 400;
const ROW = 36;
const HEAD = 34;

type Entry =
  | { readonly kind: "head"; readonly key: string; readonly name: GroupName }
  | { readonly kind: "chat"; readonly key: string; readonly conversation: Conversation };

export function ConversationList() {
  const t = useT();
  const { data, isPending, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } =
    useInfiniteQuery(conversationsQuery);
  const load = useCallback(() => void fetchNextPage({ cancelRefetch: false }), [fetchNextPage]);
  // A chat that moved to the top while older pages were loading must not appear twice.
  const loaded = useMemo(() => {
    const all = data?.pages.flatMap((page) => page.conversations) ?? [];
    return [...new Map(all.map((one) => [one.id, one])).values()];
  }, [data]);
  return (
    <nav aria-label={t("list.title")} className="flex min-h-0 flex-1 flex-col">
      {isPending && (
        <Loading label={t("list.loading")}>
          <SkeletonRows className="px-5 pt-4" />
        </Loading>
      )}
      {error !== null && data === undefined && (
        <div role="alert" className="px-5 pt-4 text-md text-muted-foreground">
          <p className="font-semibold text-foreground">{t("error.couldNotLoad", { things: t("list.things") })}</p>
          <p>{errorSentence(error, t)}</p>
          <Button variant="link" size="inline" className="mt-1" onClick={() => void refetch()}>
            {t("action.tryAgain")}
          </Button>
        </div>
      )}
      {data !== undefined && loaded.length === 0 && (
        <p className="px-5 pt-4 text-md text-muted-foreground">
          <span className="block font-semibold text-foreground">{t("list.empty.title")}</span>
          {t("list.empty.body")}
        </p>
      )}
      {loaded.length > 0 && <Rows conversations={loaded} more={hasNextPage} loading={isFetchingNextPage} load={load} />}
    </nav>
  );
}

interface RowsProps {
  readonly conversations: readonly Conversation[];
  readonly more: boolean;
  readonly loading: boolean;
  readonly load: () => void;
}

function Rows({ conversations, more, loading, load }: RowsProps) {
  const t = useT();
  const language = useI18n((state) => state.language);
  const box = useRef<HTMLDivElement>(null);
  const [renaming, setRenaming] = useState<string | null>(null);
  const entries = useMemo(() => toEntries(conversations), [conversations]);
  const virtualizer = useVirtualizer({
    count: entries.length,
    getScrollElement: () => box.current,
    estimateSize: (index) => (entries[index]?.kind === "head" ? HEAD : ROW),
    getItemKey: (index) => entries[index]?.key ?? index,
    overscan: 12,
  });
  useEffect(() => {
    const element = box.current;
    if (element === null || !more || loading) return;
    const onScroll = () => {
      if (element.scrollHeight - element.clientHeight - element.scrollTop < LOAD_DISTANCE) load();
    };
    onScroll();
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, [more, loading, load]);
  return (
    <div ref={box} className="min-h-0 flex-1 overflow-y-auto overscroll-contain px-3 pb-2">
      <ul className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map(({ key, index, start }) => {
          const entry = entries[index];
          if (entry === undefined) return null;
          return (
            <li
              key={key}
              ref={virtualizer.measureElement}
              data-index={index}
              className="absolute inset-x-0 top-0"
              style={{ transform: `translateY(${start}px)` }}
            >
              {entry.kind === "head" ? (
                <h2 className="px-2 pt-3 pb-1 text-xs font-semibold tracking-[0.02em] text-muted-foreground">
                  {nameOf(entry.name, t, language)}
                </h2>
              ) : (
                <Item
                  conversation={entry.conversation}
                  renaming={renaming === entry.conversation.id}
                  onRename={setRenaming}
                />
              )}
            </li>
          );
        })}
      </ul>
      {loading && (
        <p role="status" className="sr-only">
          {t("list.more")}
        </p>
      )}
    </div>
  );
}

interface ItemProps {
  readonly conversation: Conversation;
  readonly renaming: boolean;
  readonly onRename: (id: string | null) => void;
}

function Item({ conversation, renaming, onRename }: ItemProps) {
  const t = useT();
  const navigate = useNavigate();
  const { id, is_generating } = conversation;
  const isOpen = useMatch(`/chat/${id}`) !== null;
  const writing = useStreams((state) => state.turns[id] !== undefined) || is_generating;
  const title = conversation.title || t("chat.untitled");
  if (renaming) {
    return (
      <div className="flex py-px">
        <RenameField conversation={conversation} onDone={() => onRename(null)} className="h-[34px] coarse:h-11" />
      </div>
    );
  }
  return (
    <div
      className={cn(
        "group relative flex items-center rounded-control transition-colors duration-120 hoverable:hover:bg-accent/60 has-[[aria-expanded=true]]:bg-accent/60",
        isOpen && "bg-accent",
      )}
    >
      <Link
        to={`/chat/${id}`}
        aria-current={isOpen ? "page" : undefined}
        title={title}
        onKeyDown={(event) => {
          if (event.key !== "F2") return;
          event.preventDefault();
          onRename(id);
        }}
        className={cn(
          "flex h-[35px] min-w-0 flex-1 items-center gap-2 rounded-control px-2 coarse:h-11 coarse:pe-10 hoverable:group-hover:pe-9 group-focus-within:pe-9",
          isOpen && "font-semibold",
        )}
      >
        <span dir="auto" className="min-w-0 truncate">
          {title}
        </span>
        {writing && (
          <span role="img" aria-label={t("list.writing")} className="size-[7px] shrink-0 rounded-full bg-primary" />
        )}
      </Link>
      <ChatMenu
        conversation={conversation}
        label={t("chat.menuFor", { title })}
        className="absolute end-0.5 size-7 text-muted-foreground opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 aria-expanded:opacity-100 coarse:size-11 coarse:opacity-100"
        onRename={() => onRename(id)}
        onDeleted={() => {
          if (isOpen) void navigate("/chat/new", { replace: true });
        }}
      />
    </div>
  );
}

function toEntries(conversations: readonly Conversation[]): Entry[] {
  return groupByDate(conversations, new Date()).flatMap((group): Entry[] => [
    { kind: "head", key: group.key, name: group.name },
    ...group.conversations.map((conversation): Entry => ({ kind: "chat", key: conversation.id, conversation })),
  ]);
}

function nameOf(name: GroupName, t: T, language: string): string {
  switch (name) {
    case "today":
      return t("list.today");
    case "yesterday":
      return t("list.yesterday");
    case "week":
      return t("list.week");
    case "month":
      return t("list.month");
    default: {
      const month = new Date(`${name.month}T00:00:00`);
      const sameYear = month.getFullYear() === new Date().getFullYear();
      const form: Intl.DateTimeFormatOptions = sameYear ? { month: "long" } : { month: "long", year: "numeric" };
      return new Intl.DateTimeFormat(language, form).format(month);
    }
  }
}
