// The last few conversations, for the dashboard.
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { ApiError, errorSentence } from "@/api/error";
import { useT } from "@/i18n";
import { formatDateTime, formatWhen } from "@/lib/format";
import { ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { recentQuery } from "./api";
import { useStreams } from "./streams";

const SHOWN = 6;

/** A list of links, or what stands in its place while it loads, when it is empty and when it failed. */
export function RecentConversations() {
  const t = useT();
  const { data, error, isPending, refetch } = useQuery(recentQuery(SHOWN));
  const turns = useStreams((state) => Object.keys(state.turns).join());
  if (isPending) {
    return (
      <Loading label={t("list.loading")}>
        <SkeletonRows rows={4} className="py-3" />
      </Loading>
    );
  }
  if (data === undefined) {
    return (
      <ErrorState
        className="py-6"
        title={t("error.couldNotLoad", { things: t("list.things") })}
        message={errorSentence(error, t)}
        requestId={error instanceof ApiError ? error.requestId : undefined}
        onRetry={() => void refetch()}
      />
    );
  }
  if (data.conversations.length === 0) {
    return (
      <p className="py-3 text-muted-foreground">
        <span className="block font-semibold text-foreground">{t("list.empty.title")}</span>
        {t("list.empty.body")}
      </p>
    );
  }
  return (
    <ul className="divide-y divide-border">
      {data.conversations.map(({ id, title, assistant_name, last_message_at, created_at, is_generating }) => {
        const moment = last_message_at ?? created_at;
        return (
          <li key={id}>
            <Link
              to={`/chat/${id}`}
              className="-mx-2 flex min-h-11 flex-wrap items-center gap-x-3 gap-y-0.5 rounded-control px-2 py-2 hoverable:hover:bg-muted"
            >
              <span className="flex min-w-0 flex-1 basis-48 items-center gap-2 font-semibold">
                <span dir="auto" className="min-w-0 truncate">
                  {title || t("chat.untitled")}
                </span>
                {(is_generating || turns.includes(id)) && (
                  <span
                    role="img"
                    aria-label={t("list.writing")}
                    className="size-[7px] shrink-0 rounded-full bg-primary"
                  />
                )}
              </span>
              <span className="flex min-w-0 gap-1.5 text-md text-muted-foreground">
                <bdi className="truncate">{assistant_name}</bdi>
                <span aria-hidden>·</span>
                <time dateTime={moment} title={formatDateTime(moment)} className="shrink-0">
                  {formatWhen(moment)}
                </time>
              </span>
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
