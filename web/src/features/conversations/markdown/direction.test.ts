// The direction of a block of text (I3).
import { describe, expect, it } from "vitest";
import type { Block } from "./blocks";
import { parseBlocks } from "./blocks";
import { directionProps, directionText, textDirection } from "./direction";

describe("I3 the direction of a block", () => {
  it.each([
    ["The launch is on 14 October.", "ltr"],
    ["ההשקה ב־14 באוקטובר.", "rtl"],
    ["Chainlab תשיק ב־14 באוקטובר רשת סליקה", "rtl"],
    ["The Hebrew word שלום means peace", "ltr"],
    ["ל־CoinDesk and Globes, a very long English tail of this sentence", "rtl"],
    ["مرحبا بالعالم", "rtl"],
    ["38 % – 1,200", "auto"],
    ["", "auto"],
  ])("%j runs %s", (text, direction) => {
    expect(textDirection(text)).toBe(direction);
  });

  it("holds still after twenty letters and changes once more when the block settles", () => {
    const start = "Chainlab Technologies Ltd";
    const whole = `${start} תשיק רשת סליקה חדשה עם שלושים ושמונה מאמתים`;
    expect(textDirection(start, false)).toBe("ltr");
    expect(textDirection(whole, false)).toBe("ltr");
    expect(textDirection(whole, true)).toBe("rtl");
  });

  it("does not count code, addresses and pictures", () => {
    const { blocks } = parseBlocks("`const launchDate = now()` https://example.com/very/long/path הצעה ![picture](x)");
    expect(textDirection(directionText((blocks[0] as Block).token))).toBe("rtl");
  });

  it("A10 names the language of Hebrew blocks only", () => {
    expect(directionProps("שלום")).toEqual({ dir: "rtl", lang: "he" });
    expect(directionProps("مرحبا")).toEqual({ dir: "rtl" });
  });
});
