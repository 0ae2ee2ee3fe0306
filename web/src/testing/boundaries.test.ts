// Who may import whom, and what no file may contain; each failure says what to do instead.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "..");

const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.name.endsWith(".gen.ts"))
  .map((entry) => relative(SRC, join(entry.parentPath, entry.name)));

/** `features/session`, `ui`, …; files at the top of src belong to the app. */
function layerOf(path: string): string {
  const [top = "", second = ""] = path.split("/");
  if (top === "features") return `features/${second}`;
  // `@/i18n` names the folder: its index is the translator.
  return path.includes("/") || path === "i18n" ? top : "app";
}

/** The layers below each; a layer may always import itself. */
const below: Record<string, readonly string[]> = {
  i18n: [],
  lib: ["i18n"],
  ui: ["lib", "i18n"],
  api: ["lib", "i18n"],
};
const featureMay = ["api", "ui", "lib", "i18n"];

function mayImport(from: string, to: string): boolean {
  if (from === to || from === "app" || from === "testing") return true;
  return (below[from] ?? featureMay).includes(to);
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(SRC, path), "utf8");
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map((match) => match[1] ?? "");
  return found
    .map((name) => {
      if (name.startsWith("@/")) return name.slice(2);
      return name.startsWith(".") ? relative(SRC, resolve(SRC, dirname(path), name)) : "";
    })
    .filter((name) => name !== "");
}

const isTest = (path: string) => /\.test\.tsx?$/.test(path) || path.startsWith("testing/");
const product = files.filter((path) => !isTest(path));

describe("boundaries", () => {
  it("finds the sources", () => {
    expect(product.length).toBeGreaterThan(50);
  });

  it("imports only point downwards: lib, ui, api <- features <- app", () => {
    const wrong = product.flatMap((path) =>
      importsOf(path)
        .filter((target) => !mayImport(layerOf(path), layerOf(target)))
        .map(
          (target) =>
            `${path} imports ${target}. ${layerOf(path)} may not know ${layerOf(target)}: hand the thing in from a page in src/app, or move what both need into lib, ui or api.`,
        ),
    );
    expect(wrong).toEqual([]);
  });

  it("there are no barrels: an index file that only re-exports hides who needs what", () => {
    const barrels = product.filter((path) => /(^|\/)index\.tsx?$/.test(path) && path !== "i18n/index.ts");
    expect(barrels).toEqual([]);
  });

  it("every file starts with a sentence that says what it is for", () => {
    const silent = files.filter((path) => !/^\/\/ \S.*/.test(readFileSync(join(SRC, path), "utf8")));
    expect(silent).toEqual([]);
  });

  it("names are kebab-case", () => {
    expect(files.filter((path) => !/^[a-z0-9./-]+$/.test(path))).toEqual([]);
  });
});

describe("forbidden text", () => {
  it("I2 directions are logical: ms- me- ps- pe- start- end- instead of left and right", () => {
    const physical =
      /(?<![\w-])-?(?:ml|mr|pl|pr|left|right|border-l|border-r|rounded-l|rounded-r|rounded-tl|rounded-tr|rounded-bl|rounded-br|scroll-ml|scroll-mr)-(?:\[|\d|px|auto|full|card|panel|control|mark|border|input)|(?<![\w-])text-(?:left|right)(?![\w-])/;
    const wrong = product.flatMap((path) =>
      readFileSync(join(SRC, path), "utf8")
        .split("\n")
        .map((line, place) => ({ line, at: `${path}:${place + 1}` }))
        .filter(({ line }) => physical.test(line))
        .map(({ line, at }) => `${at} ${line.trim()}`),
    );
    expect(wrong).toEqual([]);
  });

  it("R11 text is never turned into HTML", () => {
    const wrong = files.filter(
      (path) =>
        path !== "testing/boundaries.test.ts" &&
        /dangerouslySetInnerHTML|\.innerHTML\s*=|insertAdjacentHTML/.test(readFileSync(join(SRC, path), "utf8")),
    );
    expect(wrong).toEqual([]);
  });
});
