// Recomputes the contrast of every text and control colour on every ground it is used on, from the tokens themselves.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";

const css = readFileSync(resolve(import.meta.dirname, "../styles.css"), "utf8");

function tokens(selector: string): Map<string, readonly [number, number, number]> {
  const block = new RegExp(`^${selector} \\{([^}]*)\\}`, "m").exec(css)?.[1] ?? "";
  const found = block.matchAll(/--([\w-]+): oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)/g);
  return new Map([...found].map(([, name, l, c, h]) => [name ?? "", [Number(l), Number(c), Number(h)] as const]));
}

/** Relative luminance (WCAG) of an OKLCH colour. */
function luminance([l, c, h]: readonly [number, number, number]): number {
  const a = c * Math.cos((h * Math.PI) / 180);
  const b = c * Math.sin((h * Math.PI) / 180);
  const long = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clamp = (value: number) => Math.min(1, Math.max(0, value));
  const red = clamp(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short);
  const green = clamp(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short);
  const blue = clamp(-0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: number, other: number): number {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

const grounds = ["background", "surface", "sidebar", "muted", "accent"];
const text: [ink: string, grounds: string[]][] = [
  ["foreground", [...grounds, "bubble", "code-bg"]],
  ["muted-foreground", [...grounds, "bubble", "code-bg"]],
  ["primary-text", grounds],
  ["primary-foreground", ["primary"]],
  ["destructive-foreground", ["destructive"]],
  ["destructive", ["background", "surface", "destructive-surface"]],
  ["success", ["background", "surface", "success-surface"]],
  ["warning", ["background", "surface", "warning-surface"]],
  ["mark-foreground", ["mark"]],
  ...["comment", "keyword", "string", "number", "title", "attr"].map((name): [string, string[]] => [
    `syn-${name}`,
    ["code-bg"],
  ]),
];
const marks: [ink: string, grounds: string[]][] = [
  ["input", ["background", "surface"]],
  ["ring", [...grounds, "bubble"]],
  ["primary", ["background", "surface", "sidebar"]],
  ...[1, 2, 3, 4, 5, 6].map((n): [string, string[]] => [`chart-${n}`, ["background", "surface"]]),
];

describe.each([
  ["light", ":root"],
  ["dark", "\\.dark"],
])("contrast, %s", (_, selector) => {
  const values = tokens(selector);
  const ratio = (ink: string, ground: string) => {
    const [one, other] = [values.get(ink), values.get(ground)];
    if (one === undefined || other === undefined) throw new Error(`styles.css lacks --${ink} or --${ground}`);
    return contrast(luminance(one), luminance(other));
  };
  const low = (pairs: [string, string[]][], least: number) =>
    pairs.flatMap(([ink, on]) =>
      on
        .map((ground) => ({ pair: `${ink} on ${ground}`, ratio: ratio(ink, ground) }))
        .filter((found) => found.ratio < least)
        .map((found) => `${found.pair}: ${found.ratio.toFixed(2)}`),
    );

  it("text has at least 4.5 : 1", () => {
    expect(low(text, 4.5)).toEqual([]);
  });

  it("borders of controls, focus ring and marks have at least 3 : 1", () => {
    expect(low(marks, 3)).toEqual([]);
  });
});
