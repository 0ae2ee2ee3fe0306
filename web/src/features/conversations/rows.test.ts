// Which rows the transcript has while a turn is running.
import { describe, expect, it } from "vitest";
import { aMessage } from "@/testing/factories";
import { buildRows } from "./rows";
import type { TurnOutline } from "./streams";

const first = aMessage({ id: "q1" });
const second = aMessage({ id: "a1", role: "assistant" });
const third = aMessage({ id: "q2" });
const all = [first, second, third];

const outline = (parts: Partial<TurnOutline>): TurnOutline => ({
  key: "turn",
  kind: "send",
  question: null,
  replaces: null,
  startedAt: 0,
  phase: "writing",
  stored: true,
  messageId: null,
  userMessageId: null,
  ...parts,
});
const keys = (live: TurnOutline | undefined) => buildRows(all, live).map((row) => row.key);

describe("the rows of a turn", () => {
  it("a new question and its answer stand at the end", () => {
    expect(keys(outline({ question: "On." }))).toEqual(["q1", "a1", "q2", "turn:question", "turn:answer"]);
  });

  it("R20 R22 another version takes the place of the old one and of all below it", () => {
    expect(keys(outline({ kind: "edit", question: "Other.", replaces: "q1" }))).toEqual([
      "turn:question",
      "turn:answer",
    ]);
    expect(keys(outline({ kind: "regenerate", replaces: "a1" }))).toEqual(["q1", "turn:answer"]);
  });

  it("R12 what goes on keeps its row", () => {
    expect(keys(outline({ kind: "continue", messageId: "a1" }))).toEqual(["q1", "a1", "q2"]);
  });

  it("while offline a question waits alone, and another try in the place of its answer", () => {
    expect(keys(outline({ question: "On.", phase: "queued" }))).toEqual(["q1", "a1", "q2", "turn:question"]);
    expect(keys(outline({ kind: "regenerate", replaces: "a1", phase: "queued" }))).toEqual(["q1", "turn:answer"]);
  });

  it("nothing stands twice once the server lists it", () => {
    expect(keys(outline({ question: "On.", userMessageId: "q1", messageId: "a1" }))).toEqual(["q1", "a1", "q2"]);
  });
});
