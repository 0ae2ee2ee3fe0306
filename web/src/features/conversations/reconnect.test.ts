// R13: a lost connection is not an error; only the server's word ends an answer.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, networkError } from "@/api/error";
import type { Message } from "@/api/types";
import { type AnswerLine, BACKOFF, followAnswer, SILENCE } from "./reconnect";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const message = (status: Message["status"]) => ({ id: "m1", status }) as Message;
const refusal = (status: number, details: ApiError["details"] = []) =>
  new ApiError(status, { error: "ConflictError", message: "no", details: [...details] });

/** A line whose parts a test replaces; the message is known from the start unless said otherwise. */
function line(parts: Partial<AnswerLine> = {}) {
  let wake = () => {};
  const made = {
    send: vi.fn(async () => true),
    arrived: vi.fn(async () => false),
    join: vi.fn(async () => true),
    read: vi.fn(async () => message("streaming")),
    messageId: vi.fn((): string | null => "m1"),
    onTruth: vi.fn(),
    onPhase: vi.fn(),
    onWake: vi.fn((given: () => void) => {
      wake = given;
      return () => {};
    }),
    ...parts,
  };
  return { made, wake: () => wake() };
}

function follow(made: AnswerLine, controller = new AbortController()) {
  const outcome = { done: false, error: undefined as unknown };
  const ended = followAnswer(made, controller.signal).then(
    () => {
      outcome.done = true;
    },
    (error: unknown) => {
      outcome.error = error;
    },
  );
  return { outcome, controller, ended };
}

const settle = () => vi.advanceTimersByTimeAsync(0);

describe("R13 following an answer", () => {
  it("ends with the terminal event and asks nothing more", async () => {
    const { made } = line();
    const { outcome } = follow(made);
    await settle();
    expect(outcome.done).toBe(true);
    expect(made.read).not.toHaveBeenCalled();
    expect(made.onPhase).not.toHaveBeenCalled();
  });

  it("after a lost line reads the truth, then joins what is still being written", async () => {
    const { made } = line({ send: vi.fn(async () => false) });
    const { outcome } = follow(made);
    await settle();
    expect(made.onPhase).toHaveBeenLastCalledWith("reconnecting");
    await vi.advanceTimersByTimeAsync(BACKOFF[0] - 1);
    expect(made.read).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(made.join).toHaveBeenCalledWith("m1", expect.anything(), expect.anything());
    expect(outcome.done).toBe(true);
  });

  it("takes the server's word when the answer has ended meanwhile", async () => {
    const { made } = line({
      send: vi.fn(async () => false),
      read: vi.fn(async () => message("interrupted")),
    });
    const { outcome } = follow(made);
    await vi.advanceTimersByTimeAsync(BACKOFF[0]);
    expect(made.onTruth).toHaveBeenCalledWith(message("interrupted"));
    expect(made.join).not.toHaveBeenCalled();
    expect(outcome.done).toBe(true);
  });

  it("waits 0.5, 1, 2, 4, 8, 8 … seconds while the server cannot be reached", async () => {
    const read = vi.fn(async (): Promise<Message> => {
      throw networkError();
    });
    const { made } = line({ send: vi.fn(async () => false), read });
    follow(made);
    await settle();
    for (const [tries, wait] of [...BACKOFF, 8000].entries()) {
      await vi.advanceTimersByTimeAsync(wait - 1);
      expect(read).toHaveBeenCalledTimes(tries);
      await vi.advanceTimersByTimeAsync(1);
      expect(read).toHaveBeenCalledTimes(tries + 1);
    }
  });

  it("tries at once when the tab is seen or the network is back", async () => {
    const { made, wake } = line({ send: vi.fn(async () => false) });
    const { outcome } = follow(made);
    await settle();
    wake();
    await settle();
    expect(outcome.done).toBe(true);
  });

  it("starts the waits anew after it has heard something", async () => {
    const join = vi.fn(async (_id: string, _signal: AbortSignal, onActivity: () => void) => {
      onActivity();
      return join.mock.calls.length > 2;
    });
    const { made } = line({ send: vi.fn(async () => false), join });
    const { outcome } = follow(made);
    await vi.advanceTimersByTimeAsync(BACKOFF[0] * 3);
    expect(outcome.done).toBe(true);
    expect(made.onPhase).toHaveBeenCalledWith("live");
  });

  it("counts 45 s without a byte as lost, and any byte as life", async () => {
    let alive = () => {};
    const send = vi.fn(
      (signal: AbortSignal, onActivity: () => void) =>
        new Promise<boolean>((_resolve, reject) => {
          alive = onActivity;
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    const { made } = line({ send });
    const { outcome } = follow(made);
    await vi.advanceTimersByTimeAsync(SILENCE - 1);
    alive();
    await vi.advanceTimersByTimeAsync(SILENCE - 1);
    expect(made.onPhase).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(made.onPhase).toHaveBeenCalledWith("reconnecting");
    await vi.advanceTimersByTimeAsync(BACKOFF[0]);
    expect(outcome.done).toBe(true);
  });
});

describe("R13 sending", () => {
  it("refuses what the server refuses", async () => {
    const error = refusal(409);
    const { made } = line({
      messageId: () => null,
      send: vi.fn(async () => {
        throw error;
      }),
    });
    const { outcome } = follow(made);
    await settle();
    expect(outcome.error).toBe(error);
  });

  it("sends again until the server has the message", async () => {
    const send = vi
      .fn<() => Promise<boolean>>()
      .mockRejectedValueOnce(networkError())
      .mockRejectedValueOnce(refusal(503))
      .mockRejectedValueOnce(refusal(409, [{ message_id: "m1" }]))
      .mockResolvedValueOnce(true);
    const { made } = line({ messageId: () => null, send });
    const { outcome } = follow(made);
    await vi.advanceTimersByTimeAsync(BACKOFF[0] + BACKOFF[1] + BACKOFF[2]);
    expect(send).toHaveBeenCalledTimes(4);
    expect(outcome.done).toBe(true);
  });

  it("asks whether a lost message has arrived before it sends it again", async () => {
    let known: string | null = null;
    const send = vi.fn<() => Promise<boolean>>().mockRejectedValue(networkError());
    const { made } = line({
      messageId: () => known,
      send,
      arrived: vi.fn(async () => {
        known = "m1";
        return true;
      }),
    });
    const { outcome } = follow(made);
    await vi.advanceTimersByTimeAsync(BACKOFF[0] + BACKOFF[1]);
    expect(send).toHaveBeenCalledTimes(1);
    expect(made.join).toHaveBeenCalledTimes(1);
    expect(outcome.done).toBe(true);
  });

  it("does not send again while it cannot know", async () => {
    const send = vi.fn<() => Promise<boolean>>().mockRejectedValue(networkError());
    const arrived = vi.fn<() => Promise<boolean>>().mockRejectedValue(networkError());
    const { made } = line({ messageId: () => null, send, arrived });
    follow(made);
    await vi.advanceTimersByTimeAsync(BACKOFF[0] + BACKOFF[1] + BACKOFF[2]);
    expect(arrived).toHaveBeenCalledTimes(3);
    expect(send).toHaveBeenCalledTimes(1);
  });

  it("gives up a repeated send only when it is refused for itself", async () => {
    const error = refusal(409);
    const send = vi.fn<() => Promise<boolean>>().mockRejectedValueOnce(networkError()).mockRejectedValueOnce(error);
    const { made } = line({ messageId: () => null, send });
    const { outcome } = follow(made);
    await vi.advanceTimersByTimeAsync(BACKOFF[0]);
    expect(outcome.error).toBe(error);
  });

  it("ends at once when it is called off, also in a wait", async () => {
    const { made } = line({ send: vi.fn(async () => false) });
    const { outcome, controller } = follow(made);
    await settle();
    const reason = new Error("called off");
    controller.abort(reason);
    await settle();
    expect(outcome.error).toBe(reason);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(made.read).not.toHaveBeenCalled();
  });

  it("ends when the message is no longer there", async () => {
    const { made } = line({
      send: vi.fn(async () => false),
      read: vi.fn(async (): Promise<Message> => {
        throw refusal(404);
      }),
    });
    const { outcome } = follow(made);
    await vi.advanceTimersByTimeAsync(BACKOFF[0]);
    expect((outcome.error as ApiError).status).toBe(404);
  });
});
