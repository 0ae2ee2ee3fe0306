// The lexer that settles blocks must find the same as one that reads everything.
import { beforeAll, describe, expect, it } from "vitest";
import { ANSWERS, HOSTILE } from "@/testing/markdown-samples";
import { type Block, healBlock, isFenceClosed, loadHealer, type Parsed, parseBlocks } from "./blocks";

/** A small generator, so that a failing cut can be found again by its seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const tokens = (parsed: Parsed) => JSON.stringify(parsed.blocks.map(({ token }) => token));

describe("R9 reading a growing text", () => {
  it.each([...ANSWERS, ...HOSTILE, ANSWERS.join("\n\n")])("finds the same blocks as reading it whole: %j", (text) => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const next = random(seed);
      let parsed: Parsed | null = null;
      for (let end = 0; end < text.length; ) {
        end = Math.min(text.length, end + 1 + Math.floor(next() * 9));
        parsed = parseBlocks(text.slice(0, end), parsed);
        expect(tokens(parsed), `seed ${seed}, cut ${end}`).toBe(tokens(parseBlocks(text.slice(0, end))));
      }
    }
  });

  it("keeps the tokens of settled blocks and does not read them again", () => {
    const first = parseBlocks("One.\n\nTwo.\n\nThree.\n\nFour.");
    const second = parseBlocks("One.\n\nTwo.\n\nThree.\n\nFour. And five.\n\nSix.", first);
    expect(second.blocks[0]?.token).toBe(first.blocks[0]?.token);
    expect(second.blocks[1]?.token).toBe(first.blocks[1]?.token);
    expect(second.blocks[3]?.token).not.toBe(first.blocks[3]?.token);
  });

  it("starts again when the text before has changed", () => {
    const first = parseBlocks("One.\n\nTwo.\n\nThree.\n\nFour.");
    expect(tokens(parseBlocks("Uno.\n\nTwo.\n\nThree.\n\nFour.", first))).toContain("Uno.");
  });
});

describe("healing the block being written", () => {
  beforeAll(loadHealer);

  const heal = (text: string) => {
    const parsed = parseBlocks(text);
    const last = parsed.blocks.at(-1) as Block;
    return healBlock(last, parsed.links).raw;
  };

  it.each([
    ["a **bold", "a **bold**"],
    ["see [the brief](https://exam", "see the brief"],
    ["as signed [1", "as signed"],
    ["as signed [1]", "as signed [1]"],
    ["- one\n- **tw", "- one\n- **tw**"],
    ["```js\nconst a = `x", "```js\nconst a = `x"],
  ])("%j becomes %j", (text, healed) => {
    expect(heal(text)).toBe(healed);
  });
});

describe("R10 a fence", () => {
  it.each([
    ["```js\na\n```", true],
    ["```js\na\n```\n\n", true],
    ["````\n```\n````", true],
    ["```js\na", false],
    ["```js", false],
    ["```", false],
    ["````\n```", false],
    ["~~~\n```\n", false],
  ])("%j is closed: %s", (raw, closed) => {
    expect(isFenceClosed(raw)).toBe(closed);
  });
});
