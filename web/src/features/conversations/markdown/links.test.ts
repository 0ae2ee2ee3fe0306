// Which addresses may become links (R11).
import { describe, expect, it } from "vitest";
import { decodeEntities, safeLink } from "./links";

describe("R11 addresses", () => {
  it.each([
    ["https://example.com/a?b=1&amp;c=2", "https://example.com/a?b=1&c=2", "example.com"],
    ["HTTP://Example.com:8080", "http://example.com:8080/", "example.com:8080"],
    ["https://google.com@evil.test/x", "https://google.com@evil.test/x", "evil.test"],
    ["https://аррӏе.com", "https://xn--80ak6aa92e.com/", "xn--80ak6aa92e.com"],
    ["mailto:press@example.com", "mailto:press@example.com", "press@example.com"],
  ])("%s leads to %s and shows %s", (address, href, place) => {
    expect(safeLink(address)).toEqual({ href, place });
  });

  it.each([
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "//evil.test",
    "/local",
    "#a",
    "",
    "http:",
  ])("refuses %j", (address) => {
    expect(safeLink(address)).toBeNull();
  });
});

describe("character references", () => {
  it.each([
    ["a &amp; b &lt;i&gt; &#8211; &#x05D0; &copy;", "a & b <i> – א ©"],
    ["&unknown; &; &#0; &#xD800;", "&unknown; &; \ufffd \ufffd"],
  ])("%j reads %j", (typed, read) => {
    expect(decodeEntities(typed)).toBe(read);
  });
});
