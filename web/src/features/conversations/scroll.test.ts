// R1, R2: only the reader ends the following.
import { describe, expect, it } from "vitest";
import { type Follow, reduceFollow, type ScrollBox, START } from "./scroll";

const box = (top: number, height = 2000, viewport = 800): ScrollBox => ({ top, height, viewport });
const at = (one: ScrollBox, following = true): Follow => ({ following, acting: false, box: one });

describe("R1 R2 following the end", () => {
  it("starts following", () => {
    expect(START.following).toBe(true);
  });

  it("pauses at once at a reader's act", () => {
    expect(reduceFollow(at(box(1200)), { type: "act" })).toMatchObject({ following: false, acting: true });
  });

  it("takes a scroll upwards without a change of size for the reader's", () => {
    const next = reduceFollow(at(box(1200)), { type: "scroll", box: box(1150) });
    expect(next).toMatchObject({ following: false, acting: true });
  });

  it.each([
    ["the text grew", box(1100, 2100)],
    ["the composer grew", box(1100, 2000, 700)],
    ["the text shrank", box(1000, 1800)],
    ["it moved down", box(1200)],
  ])("does not take it for the reader's when %s", (_what, moved) => {
    expect(reduceFollow(at(box(1190)), { type: "scroll", box: moved }).following).toBe(true);
  });

  it("resumes after the act when the end is within 80 px", () => {
    const acting: Follow = { following: false, acting: true, box: box(1150) };
    expect(reduceFollow(acting, { type: "rest", box: box(1120) }).following).toBe(true);
    expect(reduceFollow(acting, { type: "rest", box: box(1119) }).following).toBe(false);
  });

  it("resumes when the reader comes back to the end", () => {
    const away = at(box(600), false);
    expect(reduceFollow(away, { type: "scroll", box: box(900) }).following).toBe(false);
    expect(reduceFollow(away, { type: "scroll", box: box(1180) }).following).toBe(true);
  });

  it("R3 holds while the reader works with something inside, R4 and follows again on request", () => {
    const held = reduceFollow(at(box(1200)), { type: "hold" });
    expect(held.following).toBe(false);
    expect(reduceFollow(held, { type: "end" }).following).toBe(true);
  });
});
