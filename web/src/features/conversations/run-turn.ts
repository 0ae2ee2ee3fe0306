// Starts, follows, stops and finishes turns: the link between the server's streams and what the pages show.
import type { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/error";
import { useSession } from "@/api/session";
import { isTerminal, type StreamEvent } from "@/api/sse";
import { joinMessage, openTurn, replay } from "@/api/stream";
import type { Message } from "@/api/types";
import { keys, loadedMessages, patchConversation, putMessages, readMessage, stopAnswer, swapMessages } from "./api";
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
  TAKEN_BACK,
  useStreams,
} from "./streams";
import { reduceTurn, turnOf } from "./turn";
import { beginning, findArrived, optionsOf, type TurnRequest } from "./turn-requests";

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

/** Asks for an answer and follows it; what becomes of it is read from the streams store. */
export function beginTurn(client: QueryClient, request: TurnRequest): void {
  const { conversationId } = request;
  if (liveTurn(conversationId) !== undefined) return;
  dropRefusal(conversationId);
  const last = loadedMessages(client, conversationId).at(-1);
  void run(client, beginning(request, last?.id ?? null, Date.now()), request);
}

/** Follows an answer that was found half-written: after a reload, or begun in another tab. */
export function resumeTurn(client: QueryClient, message: Message): void {
  const { id, conversation_id: conversationId } = message;
  if (liveTurn(conversationId) !== undefined) return;
  const live: LiveTurn = {
    key: id,
    conversationId,
    kind: "join",
    question: null,
    replaces: null,
    version: null,
    parent: message.parent_id,
    stored: true,
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
  if (!live.stored && live.phase === "queued") {
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

/** Calls back once, when nothing is being written in the conversation. */
export function whenIdle(conversationId: string, then: () => void): void {
  if (liveTurn(conversationId) === undefined) {
    then();
    return;
  }
  const unsubscribe = useStreams.subscribe(({ turns }) => {
    if (turns[conversationId] !== undefined) return;
    unsubscribe();
    then();
  });
}

/** The reasons for which we end a turn ourselves. */
class Stopped extends Error {}
class TakenBack extends Error {}

async function run(client: QueryClient, live: LiveTurn, request: TurnRequest | null): Promise<void> {
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
      if (request?.kind === "send") request.onStored();
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
          request === null
            ? null
            : (signal, onActivity) => openTurn(optionsOf(request, key), listener(onActivity), signal),
        arrived: async (signal) => {
          if (request === null) return true;
          const start = await findArrived(request, seen, signal);
          if (start !== undefined) onEvent(start);
          return start !== undefined;
        },
        join: (messageId, signal, onActivity) => joinMessage(conversationId, messageId, listener(onActivity), signal),
        read: (messageId, signal) => readMessage(conversationId, messageId, signal),
        messageId: () => storedId(liveTurn(conversationId)),
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
  finish(client, conversationId, key, request, failure);
}

/** One event applied; after a stop only the end counts, so that nothing received later is shown. */
function applyEvent(live: LiveTurn, event: StreamEvent): LiveTurn {
  if (live.phase === "stopping" && event.type === "chunk") return live;
  const phase = live.phase === "stopping" ? live.phase : "writing";
  return { ...live, phase, stored: live.stored || event.type === "start", turn: reduceTurn(live.turn, event) };
}

function storedId(live: LiveTurn | undefined): string | null {
  return live?.stored === true ? live.turn.messageId : null;
}

function phaseOf(live: LiveTurn, connected: boolean): LiveTurn["phase"] {
  if (live.phase === "stopping") return "stopping";
  if (live.stored) return connected ? "writing" : "reconnecting";
  return navigator.onLine ? "sending" : "queued";
}

function finish(
  client: QueryClient,
  conversationId: string,
  key: string,
  request: TurnRequest | null,
  failure: unknown,
): void {
  const live = liveTurn(conversationId);
  if (live?.key !== key) return;
  const { stored } = live;
  if (request !== null && !stored) {
    const error = failure instanceof ApiError ? failure : TAKEN_BACK;
    const editing = request.kind === "edit" ? { editing: request.target.id } : {};
    putRefusal(conversationId, { content: live.question ?? "", ...editing, error, at: Date.now() });
  }
  // An answer we let go of before its last word was stopped by us, or is told by the server on the next reading.
  const status = live.turn.status === "streaming" ? "stopped" : live.turn.status;
  const gone = failure instanceof ApiError && failure.status === 404;
  const known = stored && !gone;
  if (known) {
    const loaded = loadedMessages(client, conversationId);
    const left = messagesOf({ ...live, turn: { ...live.turn, status } }, loaded);
    putMessages(client, conversationId, left, live.replaces);
  }
  const end = known ? { head_message_id: live.turn.messageId } : {};
  patchConversation(client, conversationId, { is_generating: false, ...end });
  dropTurn(conversationId, key);
  // What we could not see to its end is read again: an answer begun in another tab then shows up and is joined.
  const refetchType = known ? "none" : "active";
  void client.invalidateQueries({ queryKey: keys.messages(conversationId), refetchType });
  if (known) void readTruth(client, live);
  // The answer has used something: meters and figures of use are read again.
  for (const queryKey of [keys.list, keys.recent, keys.one(conversationId), ["usage"]]) {
    void client.invalidateQueries({ queryKey });
  }
}

/** Where a message stands in the tree, what it cost and who wrote it is the server's to say. */
async function readTruth(client: QueryClient, { conversationId, question, turn }: LiveTurn): Promise<void> {
  const ids = [question === null ? null : turn.userMessageId, turn.messageId].filter((id) => id !== null);
  try {
    swapMessages(client, conversationId, await Promise.all(ids.map((id) => readMessage(conversationId, id))));
  } catch {
    // The line is lost again: what is shown is read anew when the conversation is next opened.
  }
}

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
