// Colours source code: loaded only when the first closed fence comes into view, returns plain data, never HTML.
import bash from "highlight.js/lib/languages/bash";
import css from "highlight.js/lib/languages/css";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";

/** A run of code in one colour; `role` is null for plain code. */
export interface CodeRun {
  readonly text: string;
  readonly role: CodeRole | null;
}

export type CodeRole = "comment" | "keyword" | "string" | "number" | "title" | "attr";

const lowlight = createLowlight({
  bash,
  css,
  go,
  java,
  javascript,
  json,
  markdown,
  python,
  rust,
  sql,
  typescript,
  xml,
  yaml,
});

const ROLES: Readonly<Record<string, CodeRole>> = {
  "hljs-comment": "comment",
  "hljs-quote": "comment",
  "hljs-meta": "comment",
  "hljs-keyword": "keyword",
  "hljs-selector-tag": "keyword",
  "hljs-literal": "keyword",
  "hljs-type": "keyword",
  "hljs-name": "keyword",
  "hljs-string": "string",
  "hljs-regexp": "string",
  "hljs-addition": "string",
  "hljs-number": "number",
  "hljs-symbol": "number",
  "hljs-bullet": "number",
  "hljs-title": "title",
  "hljs-section": "title",
  "hljs-built_in": "title",
  "hljs-attr": "attr",
  "hljs-attribute": "attr",
  "hljs-variable": "attr",
  "hljs-selector-class": "attr",
  "hljs-deletion": "attr",
};

/** The code as coloured runs, or null when the language is not one of ours. */
export function highlight(code: string, language: string): readonly CodeRun[] | null {
  const name = language.toLowerCase();
  if (!lowlight.registered(name)) return null;
  const runs: CodeRun[] = [];
  collect(lowlight.highlight(name, code).children, null, runs);
  return runs;
}

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly properties?: { readonly className?: unknown };
  readonly children?: readonly Node[];
}

function collect(nodes: readonly Node[], role: CodeRole | null, runs: CodeRun[]): void {
  for (const node of nodes) {
    if (node.type === "text") {
      runs.push({ text: node.value ?? "", role });
    } else {
      const names = Array.isArray(node.properties?.className) ? node.properties.className : [];
      const own = names.map((name) => ROLES[`${name}`]).find((found) => found !== undefined);
      collect(node.children ?? [], own ?? role, runs);
    }
  }
}
