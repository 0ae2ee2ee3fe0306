// What is refused, and in what words: sign-in, files that cannot be taken, files that cannot be read, and what a role may not do.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Assistant, FileList } from "../src/api/types";
import type { Api } from "./api";
import { arrive, type Desk, launchBrowser, openDesk, shoot, signIn } from "./desk";
import { ADMIN, administrator, corpus, type Person, type Server, startServer } from "./server";

const NAME = "Press Writer";
const USER: Person = { email: "u@example.com", name: "Uri Katz", role: "user" };
const ENCRYPTED = "This PDF is protected by a password. Upload a version without one.";

let server: Server;
let browser: Browser;
let api: Api;
let assistant: Assistant;
let desk: Desk;
let page: Page;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "ai-across-files-"));
  server = await startServer({ people: [administrator, USER] });
  api = await server.signIn(ADMIN);
  assistant = await api.createAssistant(NAME, { instructions: "The house style is a secret." });
  browser = await launchBrowser();
  desk = await openDesk(browser, server);
  page = desk.page;
});
afterEach(() => desk.expectNoComplaints());
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, content: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const row = (name: string) =>
  page.getByRole("list", { name: "Knowledge files" }).getByRole("listitem").filter({ hasText: name });

async function storedNames(): Promise<string[]> {
  const list = await api.call<FileList>("GET", `/files?assistant_id=${assistant.id}`);
  return list.files.map((each) => each.filename).sort();
}

describe("sign-in", () => {
  it("a wrong password and an unknown person read the same; the field is ready for another try", async () => {
    for (const email of [ADMIN, "nobody@example.com"]) {
      await page.goto("/login");
      await signIn(page, email, "wrong horse battery");
      expect(await page.getByRole("alert").innerText()).toBe("Email or password is not right.");
      await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("name"))).toBe("email");
    }
    await shoot(page, "login-wrong");
    desk.expectNoComplaints(/status of 401 .*\/users\/login$/);
    await arrive(page, ADMIN);
  });
});

describe("files", () => {
  it("R25 what cannot be taken is named with its reason before it is sent; the good one goes on", async () => {
    await page.goto(`/assistants/${assistant.id}?tab=files`);
    await page.getByText("No knowledge files").waitFor();
    await page
      .locator("input[type=file]")
      .setInputFiles([
        file("setup.exe", Buffer.from("MZ")),
        file("huge.pdf", Buffer.alloc(26 * 1024 * 1024, "%PDF-1.7\n")),
        file("empty.txt", Buffer.alloc(0)),
        file("notes.md", Buffer.from("# Notes\n\nThe office dog is called Bruno.\n")),
      ]);
    const refused = page.getByRole("alert").getByRole("listitem");
    await refused.first().waitFor();
    const reasons = (await refused.allInnerTexts()).map((text) => text.replaceAll(/[\u2066\u2069]/gu, ""));
    expect(reasons).toEqual([
      "setup.exe: only PDF, DOCX, TXT, MD, PPTX, XLSX, CSV, HTML and EPUB.",
      "huge.pdf is 26 MB; the limit is 25 MB.",
      "empty.txt is empty.",
    ]);
    await row("notes.md").getByText("Ready").waitFor();
    await shoot(page, "files-refused");
    await page.getByRole("button", { name: "Dismiss" }).click();
    await refused.first().waitFor({ state: "detached" });
    expect(await storedNames()).toEqual(["notes.md"]);
  });

  it("a file that is already here is not sent twice but shown", async () => {
    await page.locator("input[type=file]").setInputFiles(join(folder, "notes.md"));
    await page.getByText("notes.md is already here.").waitFor();
    await page.getByRole("button", { name: "Show" }).click();
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain("notes.md");
    expect(await storedNames()).toEqual(["notes.md"]);
    desk.expectNoComplaints(/status of 409 .*\/files$/);
  });

  it("R31 a PDF with a password ends in a sentence, can be tried again and removed", async () => {
    await page.locator("input[type=file]").setInputFiles(corpus("password.pdf"));
    const locked = row("password.pdf");
    await locked.getByText(ENCRYPTED).waitFor();
    await locked.getByRole("button", { name: /^Try again/ }).click();
    await locked.getByText(ENCRYPTED).waitFor({ state: "detached" });
    await locked.getByText(ENCRYPTED).waitFor();
    await shoot(page, "files-error");
    await locked.getByRole("button", { name: /^Remove/ }).click();
    const dialog = page.getByRole("alertdialog", { name: "Remove password.pdf?" });
    // R37: who hits Enter by mistake loses nothing.
    await dialog.getByRole("button", { name: "Cancel" }).and(page.locator(":focus")).waitFor();
    await dialog.getByRole("button", { name: "Remove file" }).click();
    await dialog.waitFor({ state: "detached" });
    await locked.waitFor({ state: "detached" });
    expect(await storedNames()).toEqual(["notes.md"]);
  });

  it("R31 a scan without text counts as failed", async () => {
    await page.locator("input[type=file]").setInputFiles(corpus("scan.pdf"));
    await row("scan.pdf")
      .getByText(/no text/i)
      .waitFor();
    await row("scan.pdf")
      .getByRole("button", { name: /^Try again/ })
      .waitFor();
  });
});

describe("a plain user", () => {
  let theirs: Desk;

  beforeAll(async () => {
    theirs = await openDesk(browser, server);
    await arrive(theirs.page, USER.email);
  });
  afterEach(() => theirs.expectNoComplaints());

  it("finds nothing to create, edit, upload or remove", async () => {
    await theirs.page.goto("/assistants");
    await theirs.page.getByRole("link", { name: NAME, exact: true }).waitFor();
    expect(await theirs.page.getByText("Create assistant").count()).toBe(0);
    expect(await theirs.page.getByRole("link", { name: /^Edit/ }).count()).toBe(0);
    await theirs.page.getByRole("link", { name: NAME, exact: true }).click();
    await theirs.page.getByRole("tab", { name: /^Files/ }).click();
    await theirs.page.getByText("notes.md").waitFor();
    expect(await theirs.page.locator("input[type=file]").count()).toBe(0);
    expect(await theirs.page.getByRole("link", { name: "Edit" }).count()).toBe(0);
    await theirs.page.getByRole("button", { name: "Actions for notes.md" }).click();
    expect(await theirs.page.getByRole("menuitem").allInnerTexts()).toEqual(["Show passages", "Download"]);
    await shoot(theirs.page, "user-files");
  });

  it.each(["/assistants/new", "edit"])("is told why %s is closed, and nothing is asked for", async (path) => {
    const asked: string[] = [];
    theirs.page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await theirs.page.goto(path === "edit" ? `/assistants/${assistant.id}/edit` : path);
    await theirs.page.getByRole("heading", { name: "Not for your role" }).waitFor();
    expect(asked.filter((each) => each.startsWith("/api/v1/assistants/"))).toEqual([]);
    theirs.page.removeAllListeners("request");
  });

  it("can ask the assistant", async () => {
    await theirs.page.goto(`/chat/new?assistant=${assistant.id}`);
    await theirs.page.getByRole("textbox", { name: `Message ${NAME}` }).fill("What is the office dog called?");
    await theirs.page.keyboard.press("Enter");
    await theirs.page
      .getByRole("button", { name: /^Source \d+: notes\.md/ })
      .first()
      .waitFor();
    await theirs.page.locator("li").getByText("“The office dog is called Bruno.”").waitFor();
  });
});
