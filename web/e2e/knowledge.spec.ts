// What lies behind an answer: files in figures, a question tried on them, their passages, why one was found, and the queue.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Assistant } from "../src/api/types";
import type { Api } from "./api";
import { send, settled } from "./chat";
import { arrive, type Desk, expectAccessible, expectFits, launchBrowser, openDesk, shoot } from "./desk";
import { ADMIN, administrator, corpus, type Server, startServer } from "./server";

const NAME = "Press Writer";
const GUIDE = "brand-guide.pdf";
const QUESTION = "How soon does the Kestrel ship?";
const ANSWER = "The Kestrel ships within three working days";

const looks = [
  { width: 1280, scheme: "light" },
  { width: 1280, scheme: "dark" },
  { width: 360, scheme: "light" },
] as const;

let server: Server;
let browser: Browser;
let desk: Desk;
let page: Page;
let api: Api;
let assistant: Assistant;

beforeAll(async () => {
  server = await startServer({ people: [administrator] });
  api = await server.signIn(ADMIN);
  assistant = await api.createAssistant(NAME);
  browser = await launchBrowser();
  desk = await openDesk(browser, server);
  page = desk.page;
  await arrive(page, ADMIN);
});
afterEach(() => desk.expectNoComplaints());
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** Judges what stands on the page, or lies over it, in every look. */
async function judge(name: string): Promise<void> {
  for (const { width, scheme } of looks) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 800 });
    await page.locator(`html${scheme === "dark" ? ".dark" : ":not(.dark)"}`).waitFor({ state: "attached" });
    await expectFits(page, `${name}-${width}-${scheme}`);
    await expectAccessible(page, `${name}-${width}-${scheme}`);
    await shoot(page, `${name}-${width}-${scheme}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 800 });
}

// Each step goes on from where the one before has left the page.
describe("what lies behind an answer", () => {
  it("files that are read, and one that is not, are counted above their list", async () => {
    await page.goto(`/assistants/${assistant.id}?tab=files`);
    await page.locator("input[type=file]").setInputFiles([GUIDE, "campaign-brief.docx", "password.pdf"].map(corpus));
    const files = page.getByRole("list", { name: "Knowledge files" }).getByRole("listitem");
    await files.getByText("Ready").nth(1).waitFor();
    const figures = page.getByRole("region", { name: "The files in figures" });
    await figures.getByText("Failed", { exact: true }).waitFor();
    expect(
      await figures
        .locator("div", { hasText: /^Ready/ })
        .locator("dd")
        .innerText(),
    ).toBe("2");
    await figures.getByRole("button", { name: "Try the failed file again" }).waitFor();
    await judge("files-figures");
  });

  it("a failed file is tried again, and all of them after a question", async () => {
    await page.getByRole("button", { name: "Try the failed file again" }).click();
    await page.getByText("1 file is being read again.").first().waitFor();
    await page.getByRole("button", { name: "Try the failed file again" }).waitFor();
    await page.getByRole("button", { name: "Read all files again…" }).click();
    const dialog = page.getByRole("alertdialog", { name: "Read all files of this assistant again?" });
    await dialog.getByText("Until a file is done, answers use its old passages.").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
  });

  it("a question is tried: what the model is shown stands above the line, what was cut off below it", async () => {
    await page.getByRole("tab", { name: "Test retrieval" }).click();
    await page.getByLabel("Question").fill(QUESTION);
    await page.keyboard.press("Enter");
    const kept = page.getByRole("region", { name: "What the model is shown" });
    await kept.getByRole("listitem").filter({ hasText: ANSWER }).first().waitFor();
    await page.getByText(/^Below this line nothing is shown to the model\./).waitFor();
    const cut = page.getByRole("region", { name: "What was cut off" }).getByRole("listitem");
    await cut
      .getByText(/^(Too far from the question|Others were better)$/)
      .first()
      .waitFor();
    await judge("retrieval-test");
  });

  it("a passage of the test opens on its page, and the pages are turned", async () => {
    const found = page.getByRole("listitem").filter({ hasText: ANSWER }).first();
    await found.getByRole("button", { name: /^Open in its place/ }).click();
    const dialog = page.getByRole("dialog", { name: GUIDE });
    await dialog.locator("mark").first().waitFor();
    const at = await dialog.getByRole("status").innerText();
    expect(at).toMatch(/^Page \d of 3$/);
    await judge("passage-page");
    const turn = at.startsWith("Page 3") ? "Previous page" : "Next page";
    await dialog.getByRole("button", { name: turn }).click();
    await expect.poll(() => dialog.getByRole("status").innerText()).not.toBe(at);
    expect(await dialog.locator("mark").count()).toBe(0);
    await dialog.getByRole("button", { name: "Back to the passage" }).click();
    await dialog.locator("mark").first().waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });

  it("a question that nothing answers is said to leave the model alone", async () => {
    await page.getByLabel("Question").fill("Which glacier feeds the reservoir of the northern valley?");
    await page.getByRole("button", { name: "Test", exact: true }).click();
    await page.getByText("Nothing in the files matches.").locator("visible=true").first().waitFor();
    await page.getByText("The answer would come from the model alone.").locator("visible=true").first().waitFor();
    await judge("retrieval-test-none");
  });

  it("the passages of a file are read one by one", async () => {
    await page.getByRole("tab", { name: /^Files/ }).click();
    await page.getByRole("button", { name: `Actions for ${GUIDE}` }).click();
    await page.getByRole("menuitem", { name: "Show passages" }).click();
    const sheet = page.getByRole("dialog", { name: `Passages of ${GUIDE}` });
    const passage = sheet.getByRole("listitem").filter({ hasText: ANSWER }).first();
    await passage.waitFor();
    expect(await passage.innerText()).toMatch(/^Passage \d+\s+Page \d · \d+ tokens/);
    expect(new URL(page.url()).searchParams.get("passages")).not.toBeNull();
    await judge("chunks");
    await passage.getByRole("button", { name: /^Open in its place/ }).click();
    const dialog = page.getByRole("dialog", { name: GUIDE, exact: true });
    await dialog.locator("mark").first().waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.keyboard.press("Escape");
    await sheet.waitFor({ state: "detached" });
  });

  it("an answer's source says why it was found, and opens on its page", async () => {
    await page.getByRole("link", { name: "Start chat" }).click();
    await send(page, QUESTION);
    const answer = settled(page, NAME);
    await answer.waitFor();
    await answer
      .getByRole("button", { name: /^Source \d+: brand-guide\.pdf/ })
      .first()
      .click();
    const source = page
      .getByRole("complementary", { name: "Sources" })
      .getByRole("listitem", { name: /brand-guide\.pdf/ })
      .first();
    await source.getByText(/^Why this passage/).click();
    await source.getByText("Nearness in meaning").waitFor();
    await shoot(page, "why-open");
    await judge("why");
    await source.getByRole("button", { name: "Open passage" }).click();
    const dialog = page.getByRole("dialog", { name: GUIDE });
    await dialog.getByText(/^Page \d of 3$/).waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });

  it("the dashboard leads to the queue, where the failed file can be removed", async () => {
    await page.goto("/admin");
    await page.getByRole("link", { name: "Open queue" }).click();
    await page.getByRole("heading", { level: 1, name: "Queue" }).waitFor();
    const failed = page.getByRole("table", { name: "Files that failed" }).getByRole("row", { name: /password\.pdf/ });
    await failed.waitFor();
    await judge("queue");
    await failed.getByRole("button", { name: "Remove: password.pdf" }).click();
    const dialog = page.getByRole("alertdialog", { name: "Remove password.pdf?" });
    await dialog.getByRole("button", { name: "Remove file" }).click();
    await page.getByText("No file has failed.").waitFor();
  });

  it("I1 in Hebrew all of it runs from right to left", async () => {
    await page.goto("/settings/appearance");
    await page.getByLabel("Language").selectOption("he");
    await page.locator("html[dir=rtl][lang=he]").waitFor({ state: "attached" });
    await page.goto(`/assistants/${assistant.id}?tab=files`);
    await page.getByText(GUIDE).locator("visible=true").first().waitFor();
    await judge("he-files-figures");
    await page.goto(`/assistants/${assistant.id}?tab=test`);
    await page.getByLabel("שאלה").fill(QUESTION);
    await page.keyboard.press("Enter");
    await page.getByText(ANSWER).first().waitFor();
    await judge("he-retrieval-test");
    await page.goto("/admin/queue");
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.waitForLoadState("networkidle");
    await judge("he-queue");
  });
});
