// Events folded into the visible answer.
import { describe, expect, it } from "vitest";
import type { StreamEvent } from "@/api/sse";
import { aMessage } from "@/testing/factories";
import { continued, NEW_TURN, reduceTurn, type Turn } from "./turn";

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
    const failover = { from: "a", to: "b", reason: "overloaded", extra_cost_percent: null };
    expect(turn).toMatchObject({ retrieval: "none", failover });
    expect(turn.title).toBe("Pitch");
  });

  it("B10 takes the price from the last event, too, and an unknown one forgets nothing", () => {
    const used = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3, estimated: true };
    expect(fold(START, { ...DONE, usage: { ...used, cost_usd: 0.02 } })).toMatchObject({ cost: 0.02, used });
    const early = fold(START, { type: "usage", usage: { ...used, cost_usd: 0.01 } }, { ...DONE, usage: used });
    expect(early.cost).toBe(0.01);
  });

  it("R12 goes on where it was: the text stays until the stream brings it again", () => {
    const message = aMessage({ id: "m1", role: "assistant", status: "stopped", content: "Hel", parent_id: "u1" });
    const events: StreamEvent[] = [START, chunk("Hel"), chunk("lo"), DONE];
    expect(continued(message)).toMatchObject({ messageId: "m1", content: "Hel", status: "streaming" });
    expect(events.reduce(reduceTurn, continued(message))).toMatchObject({ content: "Hello", status: "complete" });
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
