// The renderer of answers: safe whatever the text, the same whether streamed or whole.
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Citation } from "@/api/types";
import { ANSWERS, HOSTILE } from "@/testing/markdown-samples";
import { TooltipProvider } from "@/ui/tooltip";
import { loadHealer } from "./blocks";
import { CitationScopeContext } from "./citations";
import { StreamMarkdown } from "./stream-markdown";

const CITATION: Citation = {
  index: 1,
  file_id: "f1",
  filename: "brief v3.pdf",
  chunk_index: 3,
  last_chunk_index: 3,
  page: 4,
  start: 13,
  end: 39,
  score: 0.86,
  cosine: 0.71,
  heading: null,
  snippet: "38 validators have signed",
  vector_rank: 1,
  keyword_rank: null,
  fused_rank: 1,
  matched_words: ["validators"],
  threshold: 0.7,
};

/** Everything is in view at once. */
class SeesAll implements Partial<IntersectionObserver> {
  constructor(private readonly notice: IntersectionObserverCallback) {}
  observe(target: Element) {
    const entry = { isIntersecting: true, target } as unknown as IntersectionObserverEntry;
    queueMicrotask(() => this.notice([entry], this as unknown as IntersectionObserver));
  }
  disconnect() {}
}

beforeAll(loadHealer);
beforeEach(() => {
  vi.stubGlobal("IntersectionObserver", SeesAll);
});

const open = vi.fn();

function view(text: string, writing = false) {
  return (
    <TooltipProvider>
      <CitationScopeContext value={{ citations: [CITATION], open }}>
        <StreamMarkdown text={text} writing={writing} />
      </CitationScopeContext>
    </TooltipProvider>
  );
}

const draw = (text: string) => render(view(text)).container;

const LOADING = "img, script, iframe, object, embed, svg image, style, link, video, audio, source, form, base, meta";

function expectHarmless(container: HTMLElement) {
  expect([...container.querySelectorAll(LOADING)]).toEqual([]);
  for (const element of container.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      expect(name, element.outerHTML).not.toMatch(/^on|^style$|^srcdoc$|^src$|^xlink/);
      if (name !== "href") continue;
      expect(value).toMatch(/^(https?:\/\/|mailto:)/);
      expect(element.getAttribute("rel")).toBe("noopener noreferrer");
      expect(element.getAttribute("title")).not.toBe("");
    }
  }
}

describe("R11 S-54 S-55 hostile text", () => {
  it.each(HOSTILE)("neither runs nor loads: %j", (text) => {
    expectHarmless(draw(text));
  });

  it.each(HOSTILE)("neither runs nor loads while it arrives: %j", (text) => {
    const { container, rerender } = render(view("", true));
    for (let end = 1; end <= text.length; end += 3) {
      rerender(view(text.slice(0, end), true));
      expectHarmless(container);
    }
  });

  it("shows tags as they were typed", () => {
    const text = "<script>alert(1)</script>";
    expect(draw(text)).toHaveTextContent(text);
    expect(draw("a <b>bold</b> b")).toHaveTextContent("a <b>bold</b> b");
  });

  it("shows a picture as a link with its host, and never fetches it", () => {
    draw("![chart](https://img.example.com/c.png)");
    const link = screen.getByRole("link", { name: /Image link: img\.example\.com.*chart/ });
    expect(link).toHaveAttribute("href", "https://img.example.com/c.png");
    expect(link).toHaveAttribute("target", "_blank");
  });

  it("shows the address of a link it refuses", () => {
    expect(draw("[click](javascript:alert(1))")).toHaveTextContent("click (javascript:alert(1))");
  });
});

describe("R9 streaming", () => {
  it.each([...ANSWERS, ...HOSTILE])("draws the same in the end as the whole text at once: %j", (text) => {
    const streamed = render(view("", true));
    for (let end = 1; end < text.length; end += 7) streamed.rerender(view(text.slice(0, end), true));
    streamed.rerender(view(text));
    const whole = draw(text);
    expect(streamed.container.isEqualNode(whole), `${streamed.container.innerHTML}\n${whole.innerHTML}`).toBe(true);
  });

  it("R10 colours a fence only after it has closed", async () => {
    const { container, rerender } = render(view('```json\n{"a": 1', true));
    expect(container.querySelector("code")).toHaveTextContent('{"a": 1');
    expect(container.querySelector("code span")).toBeNull();
    rerender(view('```json\n{"a": 1}\n```\n\nmore', true));
    await vi.waitFor(() => expect(container.querySelector("code span")).not.toBeNull());
    expect(container.querySelector("code")).toHaveTextContent('{"a": 1}');
  });

  it("R10 leaves code of an unknown language plain", () => {
    expect(draw("```klingon\nqapla\n```").querySelector("code")?.innerHTML).toBe("qapla");
  });
});

describe("the parts of a text", () => {
  it("starts headings at the third level, below the page's and the message's", () => {
    const container = draw("# A\n\n## B\n\n##### E");
    expect([...container.querySelectorAll("h3,h4,h5,h6")].map((one) => one.tagName)).toEqual(["H3", "H4", "H6"]);
    expect(container.querySelector("h1,h2")).toBeNull();
  });

  it("draws tables with heads and line breaks, in a frame that scrolls by keyboard", () => {
    draw("| Outlet | Reach |\n|---|--:|\n| Globes | a<br>b |");
    const frame = screen.getByRole("group", { name: "Table" });
    expect(frame).toHaveAttribute("tabindex", "0");
    expect(within(frame).getByRole("columnheader", { name: "Reach" })).toHaveClass("text-end");
    expect(within(frame).getByRole("cell", { name: "ab" }).querySelector("br")).not.toBeNull();
  });

  it("draws task lists with the state in words", () => {
    const container = draw("- [x] brief\n- [ ] quotes");
    expect(screen.getByRole("img", { name: "Done" })).toBeInTheDocument();
    expect(screen.getByRole("img", { name: "To do" })).toBeInTheDocument();
    expect(container).not.toHaveTextContent("[x]");
  });

  it("keeps the first number of an ordered list", () => {
    expect(draw("3. c\n4. d").querySelector("ol")).toHaveAttribute("start", "3");
  });

  it("I3 I5 gives each block its direction and keeps code left to right", () => {
    const container = draw(
      "Chainlab תשיק רשת סליקה `npm run` חדשה\n\nEnglish text\n\n- פריט\n- שני\n\n```js\nשלום\n```",
    );
    const [hebrew, english] = container.querySelectorAll("p");
    expect(hebrew).toHaveAttribute("dir", "rtl");
    expect(hebrew).toHaveAttribute("lang", "he");
    expect(hebrew?.querySelector("code")).toHaveAttribute("dir", "ltr");
    expect(english).toHaveAttribute("dir", "auto");
    expect(container.querySelector("ul")?.parentElement).toHaveAttribute("dir", "rtl");
    expect(container.querySelector("figure")).toHaveAttribute("dir", "ltr");
  });
});

describe("R27 citations", () => {
  it("become buttons that name their source, only when there is such a source", async () => {
    const container = draw("Signed [1], not [2]. Code `[1]`.");
    const mark = screen.getByRole("button", { name: "Source 1: brief v3.pdf, page 4" });
    expect(container).toHaveTextContent("Signed 1, not [2]. Code [1].");
    await userEvent.click(mark);
    expect(open).toHaveBeenCalledWith(1);
  });

  it("win over a definition that would lead them out of the house", () => {
    draw("Signed [1].\n\n[1]: https://evil.test");
    expect(screen.queryByRole("link")).toBeNull();
    expect(screen.getByRole("button", { name: /Source 1/ })).toBeInTheDocument();
  });
});
