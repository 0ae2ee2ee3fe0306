// Events folded into the visible answer.
import { describe, expect, it } from "vitest";
import type { StreamEvent } from "@/api/sse";
import { NEW_TURN, reduceTurn, type Turn } from "./turn";

const START: StreamEvent = {
  type: "start",
  message_id: "m1",
  user_message_id: "u1",
  conversation_id: "c1",
  model: "x/y",
};
const chunk = (content: string): StreamEvent => ({ type: "chunk", content });
const DONE: StreamEvent = { type: "done", message_id: "m1", finish_reason: "stop" };
const fold = (...events: StreamEvent[]): Turn => events.reduce(reduceTurn, NEW_TURN);

describe("a turn", () => {
  it("grows by its chunks and ends with done", () => {
    const turn = fold(START, chunk("Hello"), chunk(" world"), DONE);
    expect(turn).toMatchObject({ messageId: "m1", userMessageId: "u1", model: "x/y", content: "Hello world" });
    expect(turn.status).toBe("complete");
    expect(turn.finishReason).toBe("stop");
  });

  it("R13 is not doubled when it is joined again: the first chunk then holds the whole text", () => {
    const turn = fold(START, chunk("Hello"), chunk(" wor"), START, chunk("Hello world"), chunk(", again"));
    expect(turn.content).toBe("Hello world, again");
  });

  it("R13 keeps what is shown until the joined text has come", () => {
    expect(fold(START, chunk("Hello"), START).content).toBe("Hello");
  });

  it("carries sources and how they were found, the failover and the title", () => {
    const turn = fold(
      START,
      { type: "citations", retrieval: "none", citations: [] },
      { type: "notice", code: "failover", from: "a", to: "b", reason: "overloaded" },
      { type: "notice", code: "of-a-later-version" },
      { type: "title", title: "Pitch" },
      chunk("x"),
    );
    expect(turn).toMatchObject({ retrieval: "none", failover: { from: "a", to: "b", reason: "overloaded" } });
    expect(turn.title).toBe("Pitch");
  });

  it("R12 keeps the partial text when it was stopped", () => {
    const turn = fold(START, chunk("Hel"), { ...DONE, finish_reason: "stopped" });
    expect(turn).toMatchObject({ status: "stopped", content: "Hel" });
  });

  it("keeps the partial text and the reason of an error", () => {
    const turn = fold(START, chunk("Hel"), {
      type: "error",
      error: "ProviderTimeoutError",
      message: "too slow",
      retryable: true,
      message_id: "m1",
      status: "interrupted",
    });
    expect(turn).toMatchObject({ status: "interrupted", content: "Hel", error: { code: "ProviderTimeoutError" } });
  });

  it("S-61 takes nothing after its end, and nothing it does not know", () => {
    const ended = fold(START, chunk("a"), DONE);
    expect(reduceTurn(ended, chunk("forged"))).toEqual(ended);
    expect(reduceTurn(ended, START)).toEqual(ended);
    expect(reduceTurn(NEW_TURN, { type: "later" } as unknown as StreamEvent)).toEqual(NEW_TURN);
  });
});
