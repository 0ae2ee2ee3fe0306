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
  const rows: Row[] = messages.map((message) => ({ key: messageRow(message.id), kind: "message", message }));
  if (live === undefined) return rows;
  const { messageId, userMessageId } = live;
  const listed = (id: string | null) => id !== null && messages.some((message) => message.id === id);
  if (live.question !== null && !listed(userMessageId)) {
    const parts = {
      content: live.question,
      startedAt: live.startedAt,
      stored: messageId !== null,
      queued: live.phase === "queued",
    };
    rows.push({ key: questionRow(live), kind: "question", live: parts });
  }
  if (!listed(messageId) && live.phase !== "queued") rows.push({ key: answerRow(live), kind: "answer" });
  return rows;
}

/** The height a row will probably have, in pixels, before it is measured. */
export function estimateRow(row: Row | undefined): number {
  if (row === undefined || row.kind === "answer") return 120;
  const text = row.kind === "message" ? row.message.content : row.live.content;
  const lines = Math.ceil(text.length / 80) + (text.match(/\n/g)?.length ?? 0);
  const isAnswer = row.kind === "message" && row.message.role === "assistant";
  return lines * 28 + (isAnswer ? 76 : 20);
}
