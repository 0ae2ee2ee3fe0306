// Tells screen readers that an answer has begun and that it is ready: two sentences, never the words as they come.
import { useEffect, useRef } from "react";
import { t } from "@/i18n";
import { announce } from "@/ui/announcer";
import { type LiveTurn, useStreams } from "./streams";

/** So much of the finished answer is read out, in characters. */
const READ_OUT = 200;

export function useAnnouncements(conversationId: string, assistant: string): void {
  const before = useRef<LiveTurn | undefined>(undefined);
  useEffect(
    () =>
      useStreams.subscribe(({ turns }) => {
        const live = turns[conversationId];
        const last = before.current;
        before.current = live;
        if (live !== undefined && live.turn.messageId !== null && (last?.turn.messageId ?? null) === null) {
          announce(t("chat.announceWriting", { assistant }));
        }
        if (last !== undefined && live === undefined && last.turn.messageId !== null) say(last);
      }),
    [conversationId, assistant],
  );
}

function say({ turn }: LiveTurn): void {
  if (turn.status === "error") announce(t("chat.failed"), "urgent");
  else if (turn.status === "interrupted") announce(t("chat.interrupted"), "urgent");
  else if (turn.status === "complete") announce(t("chat.announceReady", { text: plain(turn.content) }));
  else announce(t("chat.stopped"));
}

/** The beginning of the answer without Markdown's signs. */
function plain(markdown: string): string {
  const text = markdown
    .replace(/\[\d{1,3}\]/g, "")
    .replace(/[*_`#>|]+/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return text.length > READ_OUT ? `${text.slice(0, READ_OUT)}…` : text;
}
