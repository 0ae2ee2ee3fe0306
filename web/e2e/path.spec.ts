// The whole way of a new installation: from the link the server prints to a cited answer, without any provider.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { composer, conversationId, send, settled, words, writing } from "./chat";
import { type Desk, expectFits, launchBrowser, openDesk, shoot, signIn } from "./desk";
import { ADMIN, corpus, PASSWORD, type Server, startServer } from "./server";

const NAME = "Press Writer";
const MANUAL = "nettle-manual.pdf";
const BRIEF = "campaign-brief.docx";

let server: Server;
let browser: Browser;
let desk: Desk;
let page: Page;

beforeAll(async () => {
  server = await startServer();
  browser = await launchBrowser();
  desk = await openDesk(browser, server);
  page = desk.page;
});
afterEach(() => desk.expectNoComplaints());
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

function row(name: string) {
  return page.getByRole("list", { name: "Knowledge files" }).getByRole("listitem").filter({ hasText: name });
}

function mark(name: RegExp) {
  return settled(page, NAME).getByRole("button", { name });
}

// Each step goes on from where the one before has left the page.
describe("from an empty data directory", () => {
  it("the printed link makes the first account, and its token leaves the address", async () => {
    await page.goto(server.setupLink);
    await page.getByLabel("Your name").fill("Dana Levi");
    expect(page.url()).toBe(`${server.address}/setup`);
    await page.getByLabel("Email").fill(ADMIN);
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByText("Create your first assistant").waitFor();
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toMatch(/^Good /);
  });

  it("signing out shuts every page, signing in leads back to the one that was asked for", async () => {
    await page.getByRole("button", { name: /^Account/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in to your desk" }).waitFor();
    await page.goto("/assistants");
    await page.waitForURL("**/login?next=%2Fassistants");
    await signIn(page, ADMIN);
    await page.waitForURL("**/assistants");
    await page.getByRole("heading", { level: 1, name: "Assistants" }).waitFor();
  });

  it("an assistant is made by the form", async () => {
    await page.getByRole("link", { name: "Create assistant" }).first().click();
    await page.getByLabel("Name").fill(NAME);
    await page.getByLabel("Description").fill("Answers from the manual and the brief.");
    await page.getByLabel("Instructions").fill("Write plainly.\nCite every fact.");
    await page.getByRole("button", { name: "Create assistant" }).click();
    await page.getByRole("heading", { level: 1, name: NAME }).waitFor();
    await page.getByRole("tab", { name: "Overview" }).click();
    await page.getByText("Cite every fact.").waitFor();
  });

  it("R30 a PDF of 111 pages and a DOCX are read and indexed, told in words on the way", {
    timeout: 300_000,
  }, async () => {
    await page.getByRole("tab", { name: /^Files/ }).click();
    await page.locator("input[type=file]").setInputFiles([corpus(MANUAL), corpus(BRIEF)]);
    await row(MANUAL)
      .getByText(/^Indexing \d+ %$/)
      .waitFor({ timeout: 120_000 });
    await shoot(page, "files-indexing");
    await row(BRIEF).getByText("Ready").waitFor({ timeout: 200_000 });
    await row(MANUAL).getByText("Ready").waitFor({ timeout: 200_000 });
    // More passages than pages: the whole book was read.
    expect(Number(digits(await row(MANUAL).locator("span.tabular").nth(1).innerText()))).toBeGreaterThan(111);
  });

  it("R27 an answer streams and cites the page of the manual", async () => {
    await page.getByRole("link", { name: "Start chat" }).click();
    await send(page, "How many bits of internal state does Yarrow-160 have?");
    // Part of the answer stands on the page while the rest is still to come.
    await writing(page, NAME).locator(".answer-text > *").first().waitFor();
    const answer = settled(page, NAME);
    await answer.waitFor();
    expect(await words(answer)).toContain("160-bit internal state");
    expect(await page.title()).toBe("How many bits of internal state does Yarrow-160 have? · AI-Across");
    await mark(/^Source \d+: nettle-manual\.pdf, page 97$/)
      .first()
      .click();
    const panel = page.getByRole("complementary", { name: "Sources" });
    await panel
      .getByRole("listitem", { name: /nettle-manual\.pdf, page 97$/ })
      .first()
      .waitFor();
    await shoot(page, "sources");
  });

  it("R28 the passage opens with the cited words marked in their page", async () => {
    const source = page.getByRole("listitem", { name: /nettle-manual\.pdf, page 97$/ }).first();
    await source.getByRole("button", { name: "Open passage" }).click();
    const dialog = page.getByRole("dialog", { name: MANUAL });
    await dialog.locator("mark").first().waitFor();
    const marked = (await dialog.locator("mark").allInnerTexts()).join(" ").replaceAll(/\s+/g, " ");
    expect(marked).toContain("a 160-bit internal state");
    expect(await dialog.getByText("Page 97").count()).toBe(1);
    expect(await dialog.locator("mark").first().evaluate(isInView)).toBe(true);
    await shoot(page, "passage");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Close sources" }).click();
  });

  it("a fact of the DOCX is cited too", async () => {
    await send(page, "When is the deadline?");
    await mark(/^Source \d+: campaign-brief\.docx/)
      .first()
      .waitFor();
    expect(await words(settled(page, NAME))).toContain("Deadline: 14 March");
  });

  it("I3 a Hebrew question is answered from right to left", async () => {
    await send(page, "מה התקציב של radio בקמפיין?");
    const first = settled(page, NAME).getByText("לא מחובר מודל שפה").first();
    await first.waitFor();
    expect(await first.getAttribute("dir")).toBe("rtl");
    expect(await first.getAttribute("lang")).toBe("he");
    await shoot(page, "hebrew");
  });

  it("everything is there after a reload, as it is stored", async () => {
    const stored = await (await server.signIn(ADMIN)).messages(conversationId(page));
    expect(stored.map((message) => `${message.role} ${message.status}`)).toEqual(
      Array.from({ length: 3 }, () => ["user complete", "assistant complete"]).flat(),
    );
    const before = await words(settled(page, NAME));
    await page.reload();
    await settled(page, NAME).waitFor();
    expect(await words(settled(page, NAME))).toBe(before);
  });

  it("the dark theme is chosen in the settings and stays", async () => {
    const chat = page.url();
    await page.goto("/settings/appearance");
    await page.getByRole("radio", { name: "Dark" }).check();
    await page.goto(chat);
    await composer(page).waitFor();
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    expect(await page.locator("html").getAttribute("class")).toBe("dark");
    await page.reload();
    await composer(page).waitFor();
    expect(await ground()).toBe(dark);
  });

  it("V2 at 360 px the chat needs no sideways scrolling", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await settled(page, NAME).waitFor();
    await expectFits(page, "chat");
    await shoot(page, "chat-phone-dark");
  });
});

function digits(text: string): string {
  return text.replaceAll(/\D/g, "");
}

function isInView(element: Element): boolean {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}
