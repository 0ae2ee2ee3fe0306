// R12, R14, R15: what a key means in the composer.
import { describe, expect, it } from "vitest";
import { type ComposerState, type KeyPress, keyMeaning } from "./composer-keys";

const press = (parts: Partial<KeyPress> = {}): KeyPress => ({
  key: "Enter",
  keyCode: 13,
  isComposing: false,
  shiftKey: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...parts,
});
const state = (parts: Partial<ComposerState> = {}): ComposerState => ({
  touchOnly: false,
  writing: false,
  empty: false,
  enterMakesLine: false,
  ...parts,
});

describe("R14 keys of an input method", () => {
  it.each([
    ["the flag", { isComposing: true }],
    ["Safari's code", { keyCode: 229 }],
    ["the name", { key: "Process" }],
  ])("do not send: %s", (_how, parts) => {
    expect(keyMeaning(press(parts), state())).toBe("none");
    expect(keyMeaning(press({ ...parts, ctrlKey: true }), state())).toBe("none");
  });
});

describe("R15 Enter", () => {
  it.each([
    ["sends", {}, {}, "send"],
    ["with Shift makes a line", { shiftKey: true }, {}, "none"],
    ["with Ctrl sends", { ctrlKey: true }, {}, "send"],
    ["on a touch screen makes a line", {}, { touchOnly: true }, "none"],
    ["with Ctrl on a touch screen sends", { ctrlKey: true }, { touchOnly: true }, "send"],
    ["with ⌘ on a touch screen sends", { metaKey: true }, { touchOnly: true }, "send"],
    ["makes a line for whoever chose so", {}, { enterMakesLine: true }, "none"],
    ["with Ctrl sends even then", { ctrlKey: true }, { enterMakesLine: true }, "send"],
    ["waits while an answer is written", {}, { writing: true }, "wait"],
  ] as const)("%s", (_what, key, where, meaning) => {
    expect(keyMeaning(press(key), state(where))).toBe(meaning);
  });
});

describe("R12 Escape", () => {
  it("stops an answer, and else does nothing", () => {
    expect(keyMeaning(press({ key: "Escape", keyCode: 27 }), state({ writing: true }))).toBe("stop");
    expect(keyMeaning(press({ key: "Escape", keyCode: 27 }), state())).toBe("none");
  });
});

describe("R20 ArrowUp", () => {
  const up = (parts: Partial<KeyPress> = {}) => press({ key: "ArrowUp", keyCode: 38, ...parts });

  it("in an empty composer edits the last message", () => {
    expect(keyMeaning(up(), state({ empty: true }))).toBe("editLast");
  });

  it("moves the caret as soon as something is typed, and waits for the answer", () => {
    expect(keyMeaning(up(), state())).toBe("none");
    expect(keyMeaning(up(), state({ empty: true, writing: true }))).toBe("none");
    expect(keyMeaning(up({ shiftKey: true }), state({ empty: true }))).toBe("none");
  });
});
