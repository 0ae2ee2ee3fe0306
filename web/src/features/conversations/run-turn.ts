// Starts, follows, stops and finishes turns: the link between the server's streams and what the pages show.
import type { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/error";
import { useSession } from "@/api/session";
import { isTerminal, type StreamEvent } from "@/api/sse";
import { joinMessage, replay, sendMessage } from "@/api/stream";
import type { Message } from "@/api/types";
import { newId } from "@/lib/idempotency";
import { findExchange, keys, loadedMessages, patchConversation, putMessages, readMessage, stopAnswer } from "./api";
import { createBatch } from "./batch";
import { loadHealer } from "./markdown/blocks";
import { followAnswer } from "./reconnect";
import {
  changeTurn,
  dropRefusal,
  dropTurn,
  type LiveTurn,
  liveTurn,
  messagesOf,
  nameRows,
  putRefusal,
  putTurn,
  useStreams,
} from "./streams";
import { NEW_TURN, reduceTurn, turnOf } from "./turn";

/** After asking the server to stop, its last word is awaited this long, in milliseconds. */
const STOP_PATIENCE = 2_500;

const running = new Map<string, AbortController>();

// Nobody's answers are followed after signing out.
useSession.subscribe((session) => {
  if (session.status !== "signed-out" || running.size === 0) return;
  for (const controller of running.values()) controller.abort();
  running.clear();
  useStreams.setState({ turns: {}, refusals: {} });
});

export interface Send {
  readonly conversationId: string;
  readonly content: string;
  readonly model?: string | undefined;
  /** Called once the server has stored the message: now the draft may go. */
  readonly onStored: () => void;
}

/** Sends a message and follows its answer; what becomes of it is read from the streams store. */
export function sendTurn(client: QueryClient, send: Send): void {
  if (liveTurn(send.conversationId) !== undefined) return;
  dropRefusal(send.conversationId);
  const live: LiveTurn = {
    key: newId(),
    conversationId: send.conversationId,
    question: send.content,
    startedAt: Date.now(),
    phase: navigator.onLine ? "sending" : "queued",
    turn: NEW_TURN,
  };
  void run(client, live, send);
}

/** Follows an answer that was found half-written: after a reload, or begun in another tab. */
export function resumeTurn(client: QueryClient, message: Message): void {
  if (liveTurn(message.conversation_id) !== undefined) return;
  const live: LiveTurn = {
    key: message.id,
    conversationId: message.conversation_id,
    question: null,
    startedAt: Date.parse(message.created_at),
    phase: "writing",
    turn: turnOf(message),
  };
  void run(client, live, null);
}

/**
 * Stops the answer: nothing more of it is shown, what there is stays. A message that has not reached the server yet
 * goes back to the composer. Returns false when the server could not be told.
 */
export async function stopTurn(conversationId: string): Promise<boolean> {
  const live = liveTurn(conversationId);
  const controller = running.get(conversationId);
  if (live === undefined || live.phase === "stopping") return true;
  if (live.turn.messageId === null && live.phase === "queued") {
    controller?.abort(new TakenBack());
    return true;
  }
  changeTurn(conversationId, live.key, (now) => ({ ...now, phase: "stopping" }));
  const patience = setTimeout(() => controller?.abort(new Stopped()), STOP_PATIENCE);
  try {
    await stopAnswer(conversationId, live.turn.messageId);
    return true;
  } catch {
    clearTimeout(patience);
    controller?.abort(new Stopped());
    return false;
  }
}

/** The reasons for which we end a turn ourselves. */
class Stopped extends Error {}
class TakenBack extends Error {}

async function run(client: QueryClient, live: LiveTurn, send: Send | null): Promise<void> {
  const { conversationId, key } = live;
  const controller = new AbortController();
  running.set(conversationId, controller);
  // Without it half-written marks show for a moment as they were typed.
  loadHealer().catch(() => {});
  putTurn(live);
  patchConversation(client, conversationId, { is_generating: true });
  const change = (to: (now: LiveTurn) => LiveTurn) => changeTurn(conversationId, key, to);
  const seen = new Set(loadedMessages(client, conversationId).map((message) => message.id));
  const batch = createBatch((events) => change((now) => events.reduce(applyEvent, now)));
  const onEvent = (event: StreamEvent) => {
    batch.add(event);
    if (event.type === "start") {
      batch.flush();
      const now = liveTurn(conversationId);
      if (now !== undefined) nameRows(now);
      send?.onStored();
      // The first message gives a chat its title and puts it on top of the list.
      for (const queryKey of [keys.list, keys.one(conversationId)]) void client.invalidateQueries({ queryKey });
    }
    if (event.type === "title") patchConversation(client, conversationId, { title: event.title });
    if (isTerminal(event)) batch.flush();
  };
  const listener = (onActivity: () => void) => ({ onEvent, onActivity });
  let failure: unknown = null;
  try {
    await followAnswer(
      {
        send:
          send === null
            ? null
            : (signal, onActivity) => sendMessage({ ...send, idempotencyKey: key }, listener(onActivity), signal),
        arrived: async (signal) => {
          if (send === null) return true;
          const exchange = await findExchange(conversationId, send.content, seen, signal);
          if (exchange !== null) replay(exchange.question, exchange.answer).slice(0, 1).forEach(onEvent);
          return exchange !== null;
        },
        join: (messageId, signal, onActivity) => joinMessage(conversationId, messageId, listener(onActivity), signal),
        read: (messageId, signal) => readMessage(conversationId, messageId, signal),
        messageId: () => liveTurn(conversationId)?.turn.messageId ?? null,
        onTruth: (message) => replay(null, message).forEach(onEvent),
        onPhase: (phase) => change((now) => ({ ...now, phase: phaseOf(now, phase === "live") })),
        onWake,
      },
      controller.signal,
    );
  } catch (error) {
    failure = error;
  }
  batch.flush();
  if (running.get(conversationId) === controller) running.delete(conversationId);
  finish(client, conversationId, key, failure);
}

/** One event applied; after a stop only the end counts, so that nothing received later is shown. */
function applyEvent(live: LiveTurn, event: StreamEvent): LiveTurn {
  if (live.phase === "stopping" && event.type === "chunk") return live;
  const phase = live.phase === "stopping" ? live.phase : "writing";
  return { ...live, phase, turn: reduceTurn(live.turn, event) };
}

function phaseOf(live: LiveTurn, connected: boolean): LiveTurn["phase"] {
  if (live.phase === "stopping") return "stopping";
  if (live.turn.messageId !== null) return connected ? "writing" : "reconnecting";
  return navigator.onLine ? "sending" : "queued";
}

function finish(client: QueryClient, conversationId: string, key: string, failure: unknown): void {
  const live = liveTurn(conversationId);
  if (live?.key !== key) return;
  const stored = live.turn.messageId !== null;
  if (live.question !== null && !stored) {
    const error = failure instanceof ApiError ? failure : null;
    if (error !== null) putRefusal(conversationId, { content: live.question, error, at: Date.now() });
    else putRefusal(conversationId, { content: live.question, error: TAKEN_BACK, at: Date.now() });
  }
  // An answer we let go of before its last word was stopped by us, or is told by the server on the next reading.
  const status = live.turn.status === "streaming" ? "stopped" : live.turn.status;
  const gone = failure instanceof ApiError && failure.status === 404;
  if (stored && !gone) putMessages(client, conversationId, messagesOf({ ...live, turn: { ...live.turn, status } }));
  dropTurn(conversationId, key);
  patchConversation(client, conversationId, { is_generating: false });
  // What we could not see to its end is read again: an answer begun in another tab then shows up and is joined.
  const unseen = gone || !stored;
  void client.invalidateQueries({ queryKey: keys.messages(conversationId), refetchType: unseen ? "active" : "none" });
  // The answer has used something: meters and figures of use are read again.
  for (const queryKey of [keys.list, keys.recent, keys.one(conversationId), ["usage"]]) {
    void client.invalidateQueries({ queryKey });
  }
}

/** Says that a message came back because the person took it back: there is no reason to show. */
export const TAKEN_BACK = new ApiError(0, { error: "TakenBack", message: "" });

function onWake(wake: () => void): () => void {
  const onVisible = () => {
    if (!document.hidden) wake();
  };
  document.addEventListener("visibilitychange", onVisible);
  window.addEventListener("pageshow", wake);
  window.addEventListener("online", wake);
  return () => {
    document.removeEventListener("visibilitychange", onVisible);
    window.removeEventListener("pageshow", wake);
    window.removeEventListener("online", wake);
  };
}
