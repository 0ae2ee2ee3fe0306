// R24: what goes on the clipboard.
import { expect, it } from "vitest";
import { cleanHtml, withoutMarks } from "./copy";

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
