// Answers that come as real vendors send them, well and badly: whatever happens on the way, the page shows what is stored.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Assistant } from "../src/api/types";
import type { Api } from "./api";
import { conversationId, messagesOf, reaches, send, settled, words, writing } from "./chat";
import { arrive, type Desk, launchBrowser, openDesk, shoot } from "./desk";
import { ADMIN, administrator, type Server, startServer } from "./server";

const NAME = "Scribe";
/** What the vendor writes for `[[script:slow]]`: a word each 200 ms. */
const SLOW = Array.from({ length: 50 }, (_, place) => `word${place + 1}`).join(" ");

let server: Server;
let browser: Browser;
let desk: Desk;
let page: Page;
let api: Api;
let assistant: Assistant;

beforeAll(async () => {
  server = await startServer({ people: [administrator], vendor: true });
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

async function ask(question: string): Promise<void> {
  await page.goto(`/chat/new?assistant=${assistant.id}`);
  await send(page, question);
  await page.waitForURL((url) => url.pathname !== "/chat/new");
}

/** Waits for the end of the answer and for these words under it. */
async function ends(note?: string): Promise<string> {
  const answer = settled(page, NAME);
  await answer.waitFor();
  if (note !== undefined) await answer.getByText(note).waitFor();
  return words(answer);
}

describe("bytes of a vendor", () => {
  it.each([
    ["split-utf8", "Grüße, שלום וברכה, 你好, 👋🏽👩‍👩‍👧 – done."],
    ["crlf", "You asked: “[[script:crlf]]” This is a scripted answer."],
    ["keepalive", "You asked: “[[script:keepalive]]” This is a scripted answer."],
  ])("%s arrives letter by letter as it was meant", async (script, expected) => {
    await ask(`[[script:${script}]]`);
    expect(await ends()).toBe(expected);
    expect((await api.lastMessage(conversationId(page))).content).toBe(expected);
  });

  it("R13 a cut connection keeps what had come and says so", async () => {
    await ask("[[script:cut]]");
    const shown = await ends("The connection broke. This part was saved.");
    expect(shown).toBe("You asked: “[[script:cut]]” This");
    const stored = await api.lastMessage(conversationId(page));
    expect({ content: stored.content.trim(), status: stored.status }).toEqual({
      content: shown,
      status: "interrupted",
    });
    await shoot(page, "cut");
  });

  it("R11 a hostile answer stays text: nothing runs, loads or leads astray", async () => {
    await ask("[[script:hostile]]");
    const shown = await ends();
    expect(shown).toContain("<script>document.title='owned'</script>");
    expect(shown).toContain("after.");
    const answer = settled(page, NAME);
    expect(await answer.locator("img, script, iframe, object, embed").count()).toBe(0);
    const links = await answer.locator("a").evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    expect(links).toEqual(["https://tracker.example/p.png?leak=1"]);
    expect(await page.title()).toBe("[[script:hostile]] · AI-Across");
    await shoot(page, "hostile");
    // That no other host was asked for anything is checked after every test.
  });
});

describe("an answer in the middle", () => {
  it("R13 goes on after a reload to its end, nothing lost and nothing twice", async () => {
    await ask("[[script:slow]]");
    await reaches(page, NAME, "word8");
    expect(await page.title()).toMatch(/^● /);
    await page.reload();
    // Joined while it is still being written, with what was there before.
    await reaches(page, NAME, "word8");
    expect(await words(writing(page, NAME))).not.toContain("word50");
    expect(await ends()).toBe(SLOW);
    const stored = await api.messages(conversationId(page));
    expect(stored.map((message) => message.content.trim())).toEqual(["[[script:slow]]", SLOW]);
    expect(await messagesOf(page, NAME).count()).toBe(1);
    expect(await messagesOf(page, "You").count()).toBe(1);
    expect(await page.title()).toBe("[[script:slow]] · AI-Across");
  });

  it("R12 stops at a click and keeps what had come", async () => {
    await ask("[[script:slow]]");
    await reaches(page, NAME, "word5");
    await page.getByRole("button", { name: "Stop" }).click();
    const shown = await ends("Stopped.");
    const stored = await api.lastMessage(conversationId(page));
    expect(stored.status).toBe("stopped");
    expect(stored.content).not.toContain("word50");
    expect(stored.content.startsWith(shown)).toBe(true);
    expect(shown).toContain("word5");
    await page.reload();
    expect(await ends("Stopped.")).toBe(stored.content.trim());
  });

  it("R16 a draft outlives a reload while the answer is being written", async () => {
    await ask("[[script:slow]]");
    await reaches(page, NAME, "word2");
    await page.getByRole("textbox", { name: /^Message / }).fill("and then?");
    await page.reload();
    await writing(page, NAME).waitFor();
    expect(await page.getByRole("textbox", { name: /^Message / }).inputValue()).toBe("and then?");
    await page.getByRole("button", { name: "Stop" }).click();
    await ends("Stopped.");
  });

  it("R13 a killed server comes back: the page finds its way to what was saved by itself", async () => {
    await ask("[[script:slow]]");
    // What came in the last two seconds may not have been saved yet.
    await reaches(page, NAME, "word24");
    await server.kill();
    await page.getByText("Reconnecting… your answer goes on without you.").waitFor();
    await shoot(page, "reconnecting");
    await server.restart();
    const shown = await ends("The connection broke. This part was saved.");
    const stored = await (await server.signIn(ADMIN)).lastMessage(conversationId(page));
    expect(stored.status).toBe("interrupted");
    expect(shown).toBe(stored.content.trim());
    expect(SLOW.startsWith(shown)).toBe(true);
    expect(shown).toContain("word8 ");
    // The next question is answered in the same chat.
    await send(page, "Are you there?");
    await messagesOf(page, NAME).filter({ hasText: "You asked: “Are you there?”" }).waitFor();
    expect(await messagesOf(page, NAME).count()).toBe(2);
    desk.expectNoComplaints(/ERR_CONNECTION_REFUSED/, /ERR_CONNECTION_RESET/, /ERR_INCOMPLETE_CHUNKED_ENCODING/);
  });
});
