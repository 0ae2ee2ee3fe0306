// Keeps hold of one answer until it has ended: a lost connection is not an error, the truth is read from the server.

import { ApiError } from "@/api/error";
import type { Message } from "@/api/types";

/** Waits between tries, in milliseconds; the last one repeats. */
export const BACKOFF = [500, 1000, 2000, 4000, 8000] as const;
/** The server says something every 15 s; three missed words mean that the line is dead. */
export const SILENCE = 45_000;

export type Phase = "live" | "reconnecting";

export interface AnswerLine {
  /** Sends the message and reads on; null when the answer was only joined. `true` once the terminal event came. */
  readonly send: ((signal: AbortSignal, onActivity: () => void) => Promise<boolean>) | null;
  /**
   * Whether a message whose sending was lost has arrived after all; if so `messageId` knows its answer from now on.
   * Sending again without asking could make it twice.
   */
  readonly arrived: (signal: AbortSignal) => Promise<boolean>;
  readonly join: (messageId: string, signal: AbortSignal, onActivity: () => void) => Promise<boolean>;
  readonly read: (messageId: string, signal: AbortSignal) => Promise<Message>;
  /** The message's id, once the server has told it. */
  readonly messageId: () => string | null;
  /** The server's own word on an answer that ended while nobody listened. */
  readonly onTruth: (message: Message) => void;
  readonly onPhase: (phase: Phase) => void;
  /** Calls back when trying at once makes sense: the tab is seen again, the network is back. */
  readonly onWake: (wake: () => void) => () => void;
}

/**
 * Follows the answer to its end. Throws `ApiError` when the server refuses the message or no longer knows it, and the
 * abort of `signal`.
 */
export async function followAnswer(line: AnswerLine, signal: AbortSignal): Promise<void> {
  let tries = 0;
  let ended = await attempt(line, first(line), signal, refusesSend);
  while (!ended) {
    line.onPhase("reconnecting");
    await pause(BACKOFF[Math.min(tries, BACKOFF.length - 1)] ?? 0, line, signal);
    tries += 1;
    const known = line.messageId();
    if (known === null) {
      const arrived = await asked(() => line.arrived(signal), signal);
      if (arrived === false && line.send !== null) ended = await attempt(line, line.send, signal, refusesRetry);
      continue;
    }
    const message = await asked(() => line.read(known, signal), signal);
    if (message === null) continue;
    if (message.status !== "streaming") {
      line.onTruth(message);
      return;
    }
    let heard = false;
    ended = await attempt(
      line,
      (inner, onActivity) =>
        line.join(known, inner, () => {
          heard = true;
          line.onPhase("live");
          onActivity();
        }),
      signal,
      refusesNothing,
    );
    if (heard) tries = 0;
  }
}

type Listen = (signal: AbortSignal, onActivity: () => void) => Promise<boolean>;

function first(line: AnswerLine): Listen {
  if (line.send !== null) return line.send;
  return (signal, onActivity) => {
    const known = line.messageId();
    return known === null ? Promise.resolve(false) : line.join(known, signal, onActivity);
  };
}

/** Which errors end the matter instead of being a lost line. */
type Refuses = (error: ApiError) => boolean;

const refusesSend: Refuses = (error) => error.status !== 0;

/**
 * A repeated send whose first try has arrived is told 409 with the message it made, until that answer has ended and is
 * handed over whole; a server that is just coming back answers 502 to 504. Both pass.
 */
const refusesRetry: Refuses = (error) => {
  if (error.status === 409) return !error.details.some((detail) => "message_id" in detail);
  return error.status !== 0 && (error.status < 502 || error.status > 504);
};

/** What became of a stored answer is not read off the stream's refusal but asked of the server. */
const refusesNothing: Refuses = () => false;

/** Listens until the end or the loss of the line; a refusal is thrown. */
async function attempt(line: AnswerLine, listen: Listen, signal: AbortSignal, refuses: Refuses): Promise<boolean> {
  signal.throwIfAborted();
  const own = new AbortController();
  const stop = () => own.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  let timer = setTimeout(() => own.abort(), SILENCE);
  const onActivity = () => {
    clearTimeout(timer);
    timer = setTimeout(() => own.abort(), SILENCE);
  };
  try {
    return await listen(own.signal, onActivity);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ApiError && line.messageId() === null && refuses(error)) throw error;
    return false;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** The server's answer, or null while it cannot be had; what will not change by asking again is thrown. */
async function asked<R>(question: () => Promise<R>, signal: AbortSignal): Promise<R | null> {
  try {
    return await question();
  } catch (error) {
    signal.throwIfAborted();
    const final = error instanceof ApiError && (error.status === 404 || error.status === 403 || error.status === 401);
    if (final) throw error;
    return null;
  }
}

function pause(milliseconds: number, line: AnswerLine, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      unsubscribe();
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    const timer = setTimeout(() => finish(resolve), milliseconds);
    const unsubscribe = line.onWake(() => finish(resolve));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
