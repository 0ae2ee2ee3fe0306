// The words of a drawn answer without any signs, for “Copy as plain text” (ui rule R24).
import { cleanCopy } from "./copy";

const BLOCKS = new Set(["P", "DIV", "H1", "H2", "H3", "H4", "H5", "H6", "UL", "OL", "PRE", "BLOCKQUOTE", "TABLE"]);

/** The words of the drawn answer without any signs: blocks stand apart, items and rows on lines of their own. */
export function plainText(element: Element): string {
  return textOf(cleanCopy(element))
    .replace(/[ \t]+\n/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function textOf(node: Node): string {
  if (!(node instanceof Element)) return node.textContent ?? "";
  const { tagName } = node;
  if (tagName === "BR") return "\n";
  if (tagName === "PRE") return `\n\n${node.textContent}\n\n`;
  const inner = [...node.childNodes].map(textOf).join("");
  if (tagName === "LI") return `\n${itemSign(node)}${inner.trim()}`;
  if (tagName === "TR") return `\n${[...node.children].map((cell) => textOf(cell).trim()).join("\t")}`;
  return BLOCKS.has(tagName) ? `\n\n${inner}\n\n` : inner;
}

function itemSign(item: Element): string {
  const list = item.parentElement;
  if (list?.tagName !== "OL") return "- ";
  const first = Number(list.getAttribute("start") ?? 1);
  return `${first + [...list.children].indexOf(item)}. `;
}
