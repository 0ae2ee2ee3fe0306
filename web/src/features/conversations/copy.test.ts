// R24: what goes on the clipboard.
import { describe, expect, it } from "vitest";
import { asQuote, cleanHtml, withoutMarks } from "./copy";
import { plainText } from "./plain-text";

it("R24 I6 rich text keeps structure, links and directions, and loses classes, marks and buttons", () => {
  const drawn = document.createElement("div");
  const paragraph = document.createElement("p");
  paragraph.setAttribute("dir", "rtl");
  paragraph.className = "my-3";
  const link = document.createElement("a");
  link.href = "https://example.com/";
  link.title = "example.com";
  link.textContent = "site";
  const mark = document.createElement("bdi");
  mark.dataset.copySkip = "";
  mark.append(document.createElement("button"));
  paragraph.append("שלום ", link, "!\u202f", mark, document.createElement("button"));
  drawn.append(paragraph);
  expect(cleanHtml(drawn)).toBe('<p dir="rtl">שלום <a href="https://example.com/">site</a>!</p>');
});

it("R24 the Markdown loses the marks of our sources and nothing else", () => {
  expect(withoutMarks("Signed [1], see [2] and [7].", new Set([1, 2]))).toBe("Signed, see and [7].");
});

describe("R24 copy as plain text", () => {
  it("keeps blocks apart, items and rows on lines of their own, and leaves all signs out", () => {
    const element = document.createElement("div");
    element.append(...drawn());
    expect(plainText(element)).toBe(
      "Title\n\nChainlab opens today.\n\n- one\n- two\n\n3. third\n\ncode()\n\nOutlet\tReach\nGlobes\t300",
    );
  });
});

describe("quoting", () => {
  it("marks every line", () => {
    expect(asQuote("One.\n\nTwo.\n")).toBe("> One.\n>\n> Two.");
  });
});

/** An answer as it is drawn, with a mark and a button in it. */
function drawn(): ChildNode[] {
  const html =
    "<h3>Title</h3><p>Chainlab <b>opens</b> today\u202f<bdi data-copy-skip><button>1</button></bdi>.</p>" +
    "<ul><li>one</li><li>two</li></ul><ol start='3'><li>third</li></ol>" +
    "<div><button>Copy</button><pre><code>code()</code></pre></div>" +
    "<table><thead><tr><th>Outlet</th><th>Reach</th></tr></thead><tbody><tr><td>Globes</td><td>300</td></tr></tbody></table>";
  return [...new DOMParser().parseFromString(html, "text/html").body.childNodes];
}
