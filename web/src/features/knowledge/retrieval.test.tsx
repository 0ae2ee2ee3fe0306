// Behind the answers of an assistant: its files in figures, a question tried on them, and their passages.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { FoundPassage, FoundPassages, KnowledgeFile, KnowledgeStats, User } from "@/api/types";
import { aFile, anAssistant, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";
import { ranked } from "./ranked";

const manager = aUser({ role: "manager" });
const admin = aUser({ role: "admin" });
const writer = anAssistant({ file_count: 2 });

const stats: KnowledgeStats = {
  files: { total: 4, by_status: { ready: 2, indexing: 1, error: 1 }, by_type: { pdf: 4 } },
  bytes: 3 * 1024 * 1024,
  chunks: 1204,
  tokens: 380_122,
  pages: 112,
  embedding_spaces: [{ space: "local:384", chunks: 1204 }],
  last_indexed_at: "2025-10-01T12:00:00.000Z",
};

function aPassage(fields: Partial<FoundPassage> = {}): FoundPassage {
  return {
    file_id: "file-1",
    filename: "brief v3.pdf",
    chunk_index: 3,
    last_chunk_index: 3,
    hit_chunk_index: 3,
    hit_start: 0,
    hit_end: 27,
    page: 4,
    start: 0,
    end: 27,
    heading: null,
    text: "38 validators have signed.",
    vector_rank: 1,
    keyword_rank: 2,
    fused_rank: 1,
    cosine: 0.71,
    word_share: 0.5,
    word_evidence: 0.5,
    matched_words: [],
    score: 0.86,
    kept: true,
    reason: "kept",
    ...fields,
  };
}

function openAssistant(tab: string, user: User, files: KnowledgeFile[] = []) {
  server.use(
    http.get(url(`/assistants/${writer.id}`), () => HttpResponse.json(writer)),
    http.get(url(`/assistants/${writer.id}/knowledge`), () => HttpResponse.json(stats)),
    http.get(url("/files"), ({ request }) => {
      const status = new URL(request.url).searchParams.get("status");
      const shown = status === null ? files : files.filter((file) => file.status === status);
      return HttpResponse.json({ files: shown, total: shown.length });
    }),
  );
  return open(`/assistants/${writer.id}?tab=${tab}`, user);
}

/** Opens the test, asks, and answers with these passages. */
async function ask(found: Partial<FoundPassages> & Pick<FoundPassages, "passages">) {
  const asked: unknown[] = [];
  server.use(
    http.post(url(`/assistants/${writer.id}/retrieval-test`), async ({ request }) => {
      asked.push(await request.json());
      return HttpResponse.json({ total: found.passages.length, ...found });
    }),
  );
  const view = openAssistant("test", manager);
  await view.person.type(await screen.findByLabelText("Question"), "How many have signed?{Enter}");
  return { ...view, asked };
}

describe("the test of retrieval", () => {
  it("shows what the model would get, then what was cut off and why, with the settings in force", async () => {
    const { asked } = await ask({
      threshold: 0.7,
      top_k: 5,
      embedding_model: "local",
      language: "de",
      outcome: "ok",
      passages: [
        aPassage({ last_chunk_index: 4, matched_words: ["signed"], heading: "Launch › Validators" }),
        aPassage({ chunk_index: 4, kept: false, reason: "joined" }),
        aPassage({ chunk_index: 9, kept: false, reason: "duplicate" }),
        aPassage({
          file_id: "file-2",
          chunk_index: 0,
          page: null,
          kept: false,
          reason: "beyond_top_k",
          text: "Others.",
        }),
        aPassage({ file_id: "file-2", chunk_index: 1, kept: false, reason: "below_threshold", text: "Far off." }),
      ],
    });
    const kept = await screen.findByRole("region", { name: "What the model is shown" });
    expect(asked).toEqual([{ question: "How many have signed?" }]);
    const [first] = within(kept).getAllByRole("listitem");
    expect(first).toHaveTextContent(/brief v3\.pdfPage 4 · Passage 4Shown to the model/);
    expect(first).toHaveTextContent("Launch › Validators");
    expect(first).toHaveTextContent(
      /By meaningplace 1By wordsplace 2Togetherplace 1Match0\.86Nearness in meaning0\.71/,
    );
    expect(within(kept).getByText("signed", { selector: "mark" })).toBeInTheDocument();
    expect(
      screen.getByText("Below this line nothing is shown to the model. The minimum match is 0.70."),
    ).toBeInTheDocument();
    const cut = within(screen.getByRole("region", { name: "What was cut off" })).getAllByRole("listitem");
    const reasons = [
      "Joined to passage 1",
      "Says the same as passage 1",
      "Others were better",
      "Too far from the question",
    ];
    for (const [place, reason] of reasons.entries()) expect(cut[place]).toHaveTextContent(reason);
    expect(screen.getByRole("region", { name: "Settings in force" })).toHaveTextContent(
      "Minimum match0.70Passages at most5Embedding modellocalLanguage of the questionGerman",
    );
  });

  it("works with a server that tells less", async () => {
    await ask({ passages: [aPassage({ keyword_rank: null, cosine: null })] });
    const card = await screen.findByRole("listitem", { name: "" });
    expect(card).toHaveTextContent(/By wordsnot found/);
    expect(screen.getByText("Below this line nothing is shown to the model.")).toBeInTheDocument();
    expect(screen.queryByRole("region", { name: "Settings in force" })).not.toBeInTheDocument();
  });

  it("says openly that nothing matches", async () => {
    await ask({ passages: [aPassage({ kept: false, reason: "below_threshold" })] });
    expect(await screen.findByText("Nothing in the files matches.")).toBeInTheDocument();
    expect(screen.getByText("The answer would come from the model alone.")).toBeInTheDocument();
    expect(screen.getByText("Too far from the question")).toBeInTheDocument();
    expect(screen.queryByRole("region", { name: "What the model is shown" })).not.toBeInTheDocument();
  });

  it("opens a passage in its place", async () => {
    server.use(
      http.get(url("/files/file-1/text"), () =>
        HttpResponse.json({ text: "38 validators have signed. Outro.", pages: [] }),
      ),
    );
    const { person } = await ask({ passages: [aPassage()] });
    await person.click(await screen.findByRole("button", { name: "Open in its place: passage 4, brief v3.pdf" }));
    const dialog = await screen.findByRole("dialog", { name: "brief v3.pdf" });
    expect(await within(dialog).findByText(/38 validators have signed\./, { selector: "mark" })).toBeInTheDocument();
  });

  it("asks for a question, and says why a search failed", async () => {
    server.use(
      http.post(url(`/assistants/${writer.id}/retrieval-test`), () =>
        refuse(503, { error: "RetrievalError", message: "The embedding model did not answer." }),
      ),
    );
    const { person } = openAssistant("test", manager);
    await person.click(await screen.findByRole("button", { name: "Test" }));
    expect(screen.getByText("Fill this in.")).toBeInTheDocument();
    expect(screen.getByLabelText("Question")).toHaveFocus();
    await person.type(screen.getByLabelText("Question"), "Who?");
    await person.click(screen.getByRole("button", { name: "Test" }));
    expect(await screen.findByText("The embedding model did not answer.")).toBeInTheDocument();
  });

  it("without files has nothing to search", async () => {
    const empty = anAssistant();
    server.use(http.get(url(`/assistants/${empty.id}`), () => HttpResponse.json(empty)));
    open(`/assistants/${empty.id}?tab=test`, manager);
    expect(await screen.findByText("There are no files to search yet")).toBeInTheDocument();
    expect(screen.queryByLabelText("Question")).not.toBeInTheDocument();
  });

  it("is for managers", async () => {
    openAssistant("test", aUser());
    await screen.findByText("Write plainly.");
    expect(screen.queryByRole("tab", { name: "Test retrieval" })).not.toBeInTheDocument();
    expect(screen.queryByLabelText("Question")).not.toBeInTheDocument();
  });

  it("a duplicate is said of the passage most like it", () => {
    const { cut } = ranked([
      aPassage({ text: "Something else entirely." }),
      aPassage({ text: "38 validators have signed so far." }),
      aPassage({ kept: false, reason: "duplicate" }),
    ]);
    expect(cut.map((entry) => [entry.number, entry.because])).toEqual([[3, 2]]);
  });
});

describe("the files in figures", () => {
  const broken = aFile({ assistant_id: writer.id, filename: "scan.pdf", status: "error", error_message: "Encrypted." });

  it("counts states, passages, tokens, pages and size", async () => {
    openAssistant("files", manager, [broken]);
    const figures = await screen.findByRole("region", { name: "The files in figures" });
    await within(figures).findByText("1,204");
    expect(figures.textContent?.replace(/[\u2066\u2069]/g, "")).toMatch(
      /Ready2In progress1Failed1Passages1,204Tokens380,122Pages112Size3 MBLast indexed/,
    );
    expect(screen.queryByRole("button", { name: "Read all files again…" })).not.toBeInTheDocument();
  });

  it("tries every failed file again and says what was refused", async () => {
    const other = aFile({ assistant_id: writer.id, filename: "b.pdf", status: "error" });
    const asked: string[] = [];
    const { person } = openAssistant("files", manager, [broken, other]);
    server.use(
      http.post(url("/files/:id/reprocess"), ({ params }) => {
        asked.push(String(params.id));
        return params.id === broken.id
          ? HttpResponse.json(broken, { status: 202 })
          : refuse(409, { error: "ConflictError", message: "It is being read." });
      }),
    );
    await person.click(await screen.findByRole("button", { name: "Try the failed file again" }));
    expect(await screen.findByText("1 file is being read again.")).toBeInTheDocument();
    expect(await screen.findByText("1 file could not be started again. It is being read.")).toBeInTheDocument();
    expect(asked).toEqual([broken.id, other.id]);
  });

  it("administrators have all files read again, after they were told what it means", async () => {
    const asked: unknown[] = [];
    server.use(
      http.post(url("/files/reprocess-all"), async ({ request }) => {
        asked.push(await request.json());
        return new HttpResponse(null, { status: 202 });
      }),
    );
    const { person } = openAssistant("files", admin, [broken]);
    await person.click(await screen.findByRole("button", { name: "Read all files again…" }));
    const dialog = await screen.findByRole("alertdialog", { name: "Read all files of this assistant again?" });
    expect(dialog).toHaveTextContent("Until a file is done, answers use its old passages.");
    await person.click(within(dialog).getByRole("button", { name: "Read all files again" }));
    expect(await screen.findByText("All files are being read again.")).toBeInTheDocument();
    expect(asked).toEqual([{ assistant_id: writer.id }]);
  });

  it("are not asked for by people who may only read", async () => {
    openAssistant("files", aUser(), [broken]);
    await screen.findByText("scan.pdf");
    expect(screen.queryByRole("region", { name: "The files in figures" })).not.toBeInTheDocument();
  });
});

describe("the passages of a file", () => {
  const file = aFile({ assistant_id: writer.id, id: "file-1", filename: "brief v3.pdf", chunk_count: 51 });
  const chunk = (index: number) => ({
    index,
    page: 4,
    start: 0,
    end: 19,
    text: `Text of passage ${index + 1}.`,
    token_count: 12,
    heading: "Launch",
  });

  it("are listed with page, heading and tokens, page after page, and open in their place", async () => {
    server.use(
      http.get(url("/files/file-1/chunks"), ({ request }) => {
        const offset = Number(new URL(request.url).searchParams.get("offset"));
        const chunks = offset === 0 ? Array.from({ length: 50 }, (_, index) => chunk(index)) : [chunk(50)];
        return HttpResponse.json({ chunks, total: 51 });
      }),
      http.get(url("/files/file-1/text"), () => HttpResponse.json({ text: "Text of passage 51. Outro.", pages: [] })),
    );
    const { person, address } = openAssistant("files", aUser(), [file]);
    await person.click(await screen.findByRole("button", { name: "Actions for brief v3.pdf" }));
    await person.click(await screen.findByRole("menuitem", { name: "Show passages" }));
    const sheet = await screen.findByRole("dialog", { name: "Passages of brief v3.pdf" });
    expect(address()).toContain("passages=file-1");
    const first = (await within(sheet).findByText("Text of passage 1.")).closest("li");
    expect(first).toHaveTextContent(/^Passage 1Page 4 · 12 tokensLaunchText of passage 1\./);
    expect(within(sheet).getByText("50 of 51 shown")).toBeInTheDocument();
    await person.click(within(sheet).getByRole("button", { name: "Show more passages" }));
    expect(await within(sheet).findByText("Text of passage 51.")).toBeInTheDocument();
    expect(within(sheet).queryByRole("button", { name: "Show more passages" })).not.toBeInTheDocument();
    await person.click(within(sheet).getByRole("button", { name: "Open in its place: passage 51, brief v3.pdf" }));
    const dialog = await screen.findByRole("dialog", { name: "brief v3.pdf" });
    expect(await within(dialog).findByText("Text of passage 51.", { selector: "mark" })).toBeInTheDocument();
    await person.keyboard("{Escape}");
    await person.keyboard("{Escape}");
    await waitFor(() => expect(address()).not.toContain("passages="));
  });

  it("say when they could not be loaded", async () => {
    server.use(http.get(url("/files/file-1/chunks"), () => refuse(500, { error: "InternalError", request_id: "r-1" })));
    openAssistant("files&passages=file-1", aUser(), [file]);
    expect(await screen.findByText("Could not load the passages")).toBeInTheDocument();
    expect(screen.getByText("r-1")).toBeInTheDocument();
  });
});
