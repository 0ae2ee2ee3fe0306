// The rows of the transcript: the stored messages and, after them, what is being sent and written. Pure.
import type { Message } from "@/api/types";
import { answerRow, messageRow, questionRow, type TurnOutline } from "./streams";

export type Row =
  | { readonly key: string; readonly kind: "message"; readonly message: Message }
  | { readonly key: string; readonly kind: "question"; readonly live: QuestionParts }
  | { readonly key: string; readonly kind: "answer" };

/** The parts of a turn that its question shows; they change at most twice. */
export interface QuestionParts {
  readonly content: string;
  readonly startedAt: number;
  readonly stored: boolean;
  readonly queued: boolean;
}

export function buildRows(messages: readonly Message[], live: TurnOutline | undefined): Row[] {
  const kept = live === undefined ? messages : before(messages, live.replaces);
  const rows: Row[] = kept.map((message) => ({ key: messageRow(message.id), kind: "message", message }));
  if (live === undefined) return rows;
  const { messageId, userMessageId } = live;
  const listed = (id: string | null) => id !== null && kept.some((message) => message.id === id);
  if (live.question !== null && !listed(userMessageId)) {
    const parts = {
      content: live.question,
      startedAt: live.startedAt,
      stored: live.stored,
      queued: live.phase === "queued",
    };
    rows.push({ key: questionRow(live), kind: "question", live: parts });
  }
  // What waits for the network is shown by its question, where there is one.
  const waiting = live.phase === "queued" && live.question !== null;
  if (!listed(messageId) && !waiting) rows.push({ key: answerRow(live), kind: "answer" });
  return rows;
}

/** The messages above the one with this id; all of them where it is not among them. */
export function before(messages: readonly Message[], id: string | null): readonly Message[] {
  const place = id === null ? -1 : messages.findIndex((message) => message.id === id);
  return place < 0 ? messages : messages.slice(0, place);
}

/** The height a row will probably have, in pixels, before it is measured. */
export function estimateRow(row: Row | undefined): number {
  if (row === undefined || row.kind === "answer") return 120;
  const text = row.kind === "message" ? row.message.content : row.live.content;
  const lines = Math.ceil(text.length / 80) + (text.match(/\n/g)?.length ?? 0);
  const isAnswer = row.kind === "message" && row.message.role === "assistant";
  return lines * 28 + (isAnswer ? 76 : 28);
}
