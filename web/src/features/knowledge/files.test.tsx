// The knowledge files of an assistant: adding, watching, mending, removing.
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { delay, HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { KnowledgeFile, User } from "@/api/types";
import { anAssistant, aUser, aFile as someFile } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";
import { pollDelay } from "./api";

const manager = aUser({ role: "manager" });
const writer = anAssistant();
const MEGABYTE = 1024 * 1024;
const aFile = (fields: Partial<KnowledgeFile> = {}) => someFile({ assistant_id: writer.id, ...fields });

/** Opens the files tab; the list answers whatever `files` holds at that moment. */
async function openFiles(files: KnowledgeFile[], user: User = manager) {
  server.use(
    http.get(url(`/assistants/${writer.id}`), () => HttpResponse.json(writer)),
    http.get(url("/files"), () => HttpResponse.json({ files, total: files.length })),
  );
  const view = open(`/assistants/${writer.id}?tab=files`, user);
  await screen.findByRole("heading", { name: "Press Writer" });
  return view;
}

const rowOf = async (name: string) => {
  const row = (await screen.findByText(name)).closest("li");
  if (row === null) throw new Error(`${name} is in no row`);
  return within(row);
};

/** Of the given size; big ones only say so. */
function chosen(name: string, size: number): File {
  if (size < MEGABYTE) return new File(["x".repeat(size)], name);
  const file = new File(["x"], name);
  Object.defineProperty(file, "size", { value: size });
  return file;
}

/** What the person picks in the browser's own file window, which a test cannot open. */
function choose(...files: File[]) {
  fireEvent.change(screen.getByLabelText("Add files"), { target: { files } });
}

describe("knowledge files", () => {
  it("without files says what that means", async () => {
    await openFiles([]);
    expect(await screen.findByText("No knowledge files")).toBeInTheDocument();
    expect(screen.getByText("Answers will come from the model alone.")).toBeInTheDocument();
  });

  it("R30 every state has a word, and moving ones a meter", async () => {
    await openFiles([
      aFile({ filename: "a.pdf", status: "ready", chunk_count: 48 }),
      aFile({ filename: "b.pdf", status: "processing", progress: 10, chunk_count: 0 }),
      aFile({ filename: "c.pdf", status: "indexing", progress: 62, chunk_count: 0 }),
    ]);
    expect((await rowOf("a.pdf")).getByText("Ready")).toBeInTheDocument();
    expect((await rowOf("b.pdf")).getByText("Reading")).toBeInTheDocument();
    const moving = await rowOf("c.pdf");
    expect(moving.getByText("Indexing 62 %")).toBeInTheDocument();
    expect(moving.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "62");
  });

  it("R30 looks again while a file moves, until it is ready", async () => {
    const files = [aFile({ filename: "c.pdf", status: "indexing", progress: 62, chunk_count: 0 })];
    await openFiles(files);
    await screen.findByText("Indexing 62 %");
    files[0] = aFile({ filename: "c.pdf", id: files[0]?.id ?? "" });
    expect(await screen.findByText("Ready", {}, { timeout: 3_000 })).toBeInTheDocument();
  });

  it("R30 looks less often the longer it takes", () => {
    expect([0, 29_999, 30_000, 119_999, 120_000].map(pollDelay)).toEqual([1_000, 1_000, 2_000, 2_000, 5_000]);
  });

  it("R31 a failure shows the server's sentence, can be tried again, and is never a spinner", async () => {
    const broken = aFile({ filename: "scan.pdf", status: "error", error_message: "The file is encrypted." });
    const files = [broken];
    const { person } = await openFiles(files);
    const row = await rowOf("scan.pdf");
    expect(row.getByText("The file is encrypted.")).toBeInTheDocument();
    expect(row.queryByRole("progressbar")).not.toBeInTheDocument();
    server.use(
      http.post(url(`/files/${broken.id}/reprocess`), () => {
        files[0] = { ...broken, status: "processing", error_message: null, progress: 0 };
        return HttpResponse.json(files[0], { status: 202 });
      }),
    );
    await person.click(row.getByRole("button", { name: /Try again/ }));
    expect(await row.findByText("Reading")).toBeInTheDocument();
  });

  it("R31 ready without a single passage counts as a failure", async () => {
    await openFiles([aFile({ filename: "scan.pdf", status: "ready", chunk_count: 0 })]);
    const row = await rowOf("scan.pdf");
    expect(row.getByText("No text found. Upload a version with selectable text.")).toBeInTheDocument();
    expect(row.queryByText("Ready")).not.toBeInTheDocument();
  });

  it("removing names the file and its effect", async () => {
    const files = [aFile({ filename: "old.pdf" })];
    const { person } = await openFiles(files);
    server.use(
      http.delete(url(`/files/${files[0]?.id}`), () => {
        files.length = 0;
        return new HttpResponse(null, { status: 204 });
      }),
    );
    await person.click((await rowOf("old.pdf")).getByRole("button", { name: "Actions for old.pdf" }));
    await person.click(await screen.findByRole("menuitem", { name: "Remove…" }));
    const dialog = await screen.findByRole("alertdialog", { name: "Remove old.pdf?" });
    expect(dialog).toHaveTextContent("From now on no answer uses it.");
    await person.click(within(dialog).getByRole("button", { name: "Remove file" }));
    expect(await screen.findByText("No knowledge files")).toBeInTheDocument();
  });

  it("people who may only read get no drop zone and no ways to change", async () => {
    const { person } = await openFiles([aFile({ filename: "a.pdf" })], aUser());
    const row = await rowOf("a.pdf");
    expect(screen.queryByRole("button", { name: "choose files" })).not.toBeInTheDocument();
    await person.click(row.getByRole("button", { name: "Actions for a.pdf" }));
    expect(await screen.findByRole("menuitem", { name: "Download" })).toBeInTheDocument();
    expect(screen.queryByRole("menuitem", { name: "Remove…" })).not.toBeInTheDocument();
  });
});

describe("adding files", () => {
  it("R25 each bad file is named with its reason and the good ones go on", async () => {
    const files: KnowledgeFile[] = [];
    await openFiles(files);
    let sent = 0;
    server.use(
      http.post(url("/files"), async ({ request }) => {
        const body = await request.formData();
        expect([...body.keys()]).toEqual(["assistant_id", "file"]);
        expect(body.get("assistant_id")).toBe(writer.id);
        // jsdom hands on neither name nor content of a file: that they arrive is for the tests in a real browser.
        sent += 1;
        files.push(aFile({ filename: "brief.docx", status: "processing", progress: 0, chunk_count: 0 }));
        return HttpResponse.json(files.at(-1), { status: 201 });
      }),
    );
    choose(
      chosen("setup.exe", 10),
      chosen("huge.pdf", 31 * MEGABYTE),
      chosen("nothing.md", 0),
      chosen("brief.docx", 100),
    );
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("setup.exe: only PDF, DOCX, TXT, MD, PPTX, XLSX, CSV, HTML and EPUB.");
    expect(alert.textContent?.replace(/[\u2066\u2069]/g, "")).toContain("huge.pdf is 31 MB; the limit is 25 MB.");
    expect(alert).toHaveTextContent("nothing.md is empty.");
    expect((await rowOf("brief.docx")).getByText(/Uploading|Reading/)).toBeInTheDocument();
    await waitFor(() => expect(screen.getByText("Reading")).toBeInTheDocument());
    expect(sent).toBe(1);
  });

  it("R29 at most two go out at once, as many as the server takes of a person, and each can be cancelled", async () => {
    const { person } = await openFiles([]);
    let started = 0;
    server.use(
      http.post(url("/files"), async () => {
        started += 1;
        await delay("infinite");
        return HttpResponse.json(aFile());
      }),
    );
    choose(...["1.md", "2.md", "3.md"].map((name) => chosen(name, 5)));
    await waitFor(() => expect(started).toBe(2));
    expect((await rowOf("3.md")).getByText("Waiting")).toBeInTheDocument();
    await person.click(screen.getByRole("button", { name: "Cancel the upload of 1.md" }));
    await waitFor(() => expect(started).toBe(3));
    expect(screen.queryByText("1.md")).not.toBeInTheDocument();
  });

  it("R29 leaving while something uploads asks first", async () => {
    const { person, address, router } = await openFiles([]);
    server.use(
      http.post(url("/files"), async () => {
        await delay("infinite");
        return HttpResponse.json(aFile());
      }),
    );
    choose(chosen("a.md", 5));
    await rowOf("a.md");
    // Also from the other tab of the page.
    await person.click(screen.getByRole("tab", { name: "Overview" }));
    void router.navigate("/assistants");
    const dialog = await screen.findByRole("alertdialog", { name: "Leave while files are uploading?" });
    expect(address()).toContain(writer.id);
    await person.click(within(dialog).getByRole("button", { name: "Leave" }));
    await waitFor(() => expect(address()).toBe("/assistants"));
  });

  it("a refused upload says why and can be tried again or taken off", async () => {
    const { person } = await openFiles([]);
    server.use(
      http.post(url("/files"), () =>
        refuse(415, { error: "UnsupportedMediaTypeError", message: "The content is not a PDF." }),
      ),
    );
    choose(chosen("fake.pdf", 5));
    const row = await rowOf("fake.pdf");
    expect(await row.findByText("The content is not a PDF.")).toBeInTheDocument();
    expect(row.getByRole("button", { name: /Try again/ })).toBeInTheDocument();
    await person.click(row.getByRole("button", { name: /Remove/ }));
    expect(screen.queryByText("fake.pdf")).not.toBeInTheDocument();
  });

  it("a file that is already there is shown instead of sent twice", async () => {
    const there = aFile({ filename: "brief.pdf" });
    const { person } = await openFiles([there]);
    server.use(
      http.post(url("/files"), () => refuse(409, { error: "ConflictError", details: [{ file_id: there.id }] })),
    );
    choose(chosen("copy.pdf", 5));
    expect(await screen.findByText("copy.pdf is already here.")).toBeInTheDocument();
    await person.click(screen.getByRole("button", { name: "Show" }));
    expect(screen.getByText("brief.pdf").closest("li")).toHaveFocus();
    expect(screen.queryByText("copy.pdf")).not.toBeInTheDocument();
  });
});
