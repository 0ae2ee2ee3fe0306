// What the person should know, above the page until they dismiss it.
import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useSession } from "@/api/session";
import type { Notice, Role } from "@/api/types";
import { type T, useT } from "@/i18n";
import { formatDay, formatTime } from "@/lib/format";
import { Button } from "@/ui/button";
import { percentOf } from "@/ui/limit-meter";
import { InlineNotice } from "@/ui/notice";
import { RelativeTime } from "@/ui/relative-time";
import { toast } from "@/ui/toast";
import { noticesQuery, useDismissNotice } from "./api";

/** More than these would push the page away; the next come up as these are dismissed. */
const SHOWN = 3;

const isRole = (name: unknown): name is Role => name === "admin" || name === "manager" || name === "user";

/** Our own sentence for what we know, the server's for the rest. */
export function noticeText({ kind, message, details }: Notice, person: string | undefined, t: T): string {
  if (kind !== "quota.alert") return message;
  const { scope, scope_id, scope_name, limit, used, amount, resets_at } = details;
  if (typeof used !== "number" || typeof amount !== "number" || typeof resets_at !== "string") return message;
  const isDaily = String(limit).startsWith("daily");
  const values = {
    percent: percentOf(used, amount),
    when: isDaily ? formatTime(resets_at) : formatDay(resets_at, "plain"),
  };
  if (scope === "user" && scope_id === person) return t(isDaily ? "notice.ownDay" : "notice.ownMonth", values);
  const names: Record<string, string> = {
    global: t("notice.everyone"),
    role: isRole(scope_id) ? t(`role.${scope_id}`) : String(scope_id),
  };
  const name = names[String(scope)] ?? String(scope_name ?? scope_id);
  return t(isDaily ? "notice.day" : "notice.month", { ...values, name });
}

export default function NoticeBar() {
  const t = useT();
  const notices = useQuery(noticesQuery).data?.notices ?? [];
  const dismiss = useDismissNotice();
  const person = useSession((state) => state.user?.id);
  if (notices.length === 0) return null;
  const more = notices.length - SHOWN;
  return (
    <section aria-label={t("notice.title")} className="flex shrink-0 flex-col gap-1.5 px-4 pt-3 pb-2 sm:px-8">
      {notices.slice(0, SHOWN).map((notice) => (
        <InlineNotice
          key={notice.id}
          tone={notice.level === "warning" || notice.level === "error" ? notice.level : "info"}
          action={
            <Button
              variant="ghost"
              size="icon-sm"
              className="-my-1 -me-1.5"
              aria-label={t("notice.dismiss")}
              onClick={() => dismiss.mutate(notice.id, { onError: () => toast({ text: t("notice.dismissFailed") }) })}
            >
              <X aria-hidden />
            </Button>
          }
        >
          <span dir="auto">{noticeText(notice, person, t)}</span>{" "}
          <RelativeTime iso={notice.created_at} className="ms-2 text-sm whitespace-nowrap" />
        </InlineNotice>
      ))}
      {more > 0 && <p className="text-md text-muted-foreground">{t("notice.more", { count: more })}</p>}
    </section>
  );
}
