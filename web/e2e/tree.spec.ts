// A conversation as a tree, on more than one device: other words, other answers, going on, copies, and the second tab.
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Assistant } from "../src/api/types";
import type { Api } from "./api";
import {
  composer,
  conversationId,
  messagesOf,
  pickModel,
  question,
  reaches,
  send,
  settled,
  words,
  writing,
} from "./chat";
import { arrive, type Desk, expectAccessible, expectFits, launchBrowser, openDesk, shoot } from "./desk";
import { ADMIN, administrator, type Server, startServer } from "./server";

const NAME = "Scribe";
/** What the vendor writes for `[[script:slow]]`: a word each 200 ms. */
const SLOW = Array.from({ length: 50 }, (_, place) => `word${place + 1}`).join(" ");
const quoted = (text: string) => `You asked: “${text}” This is a scripted answer.`;

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

async function ask(text: string): Promise<void> {
  await page.goto(`/chat/new?assistant=${assistant.id}`);
  await send(page, text);
  await page.waitForURL((url) => url.pathname !== "/chat/new");
}

/** Waits until the last answer has ended with these words. */
async function answered(text: string): Promise<Locator> {
  await expect.poll(async () => words(settled(page, NAME)), { timeout: 20_000 }).toBe(text);
  return settled(page, NAME);
}

/** Of the vendor's two models the one that did not answer. */
function otherThan(model: string | null): string {
  return model === "gpt-4o" ? "gpt-4o-mini" : "gpt-4o";
}

async function topOf(element: Locator): Promise<number> {
  return element.evaluate((node) => node.getBoundingClientRect().top);
}

describe("versions", () => {
  it("R20 R21 other words make a version; the arrows go between them, each with what followed it", async () => {
    await ask("First words");
    await answered(quoted("First words"));
    await send(page, "And then?");
    await answered(quoted("And then?"));
    await question(page, "First words").hover();
    await question(page, "First words").getByRole("button", { name: "Edit" }).click();
    const dialog = page.getByRole("dialog", { name: "Edit your message" });
    await dialog.getByRole("textbox").fill("Other words");
    await shoot(page, "edit-question");
    await page.keyboard.press("Control+Enter");
    await answered(quoted("Other words"));
    expect(await messagesOf(page, "You").count()).toBe(1);
    const other = question(page, "Other words");
    await other.getByText("Version 2 of 2").waitFor({ state: "attached" });
    await shoot(page, "versions");
    await other.getByRole("button", { name: "Previous version" }).click();
    await answered(quoted("And then?"));
    expect(await messagesOf(page, "You").count()).toBe(2);
    // The version stays the shown one, here and on the server.
    await page.reload();
    await answered(quoted("And then?"));
    const first = question(page, "First words");
    const before = await topOf(first);
    await first.getByRole("button", { name: "Next version" }).focus();
    await page.keyboard.press("Enter");
    await answered(quoted("Other words"));
    expect(Math.abs((await topOf(question(page, "Other words"))) - before)).toBeLessThanOrEqual(1);
    const stored = await api.messages(conversationId(page));
    expect(stored.map((message) => message.content.trim())).toEqual(["Other words", quoted("Other words")]);
    expect(stored[0]).toMatchObject({ sibling_index: 1, sibling_count: 2 });
  });

  it("R21 in the middle of a long chat the message keeps its pixel, also when less follows it", async () => {
    const conversation = await api.createConversation(assistant);
    for (let count = 1; count <= 14; count += 1) await api.ask(conversation, `Question ${count}`);
    const at = `/conversations/${conversation.id}`;
    const middle = (await api.messages(conversation.id))[15];
    await api.call("POST", `${at}/messages/${middle?.id}/regenerate`, JSON.stringify({ stream: false }));
    await api.call("PUT", `${at}/head`, JSON.stringify({ message_id: middle?.id }));
    await page.goto(`/chat/${conversation.id}?m=${middle?.id}`);
    const answer = messagesOf(page, NAME).filter({ hasText: "Question 8" });
    for (const [arrow, left] of [
      ["Next version", 0],
      ["Previous version", 1],
      ["Next version", 0],
    ] as const) {
      const before = await topOf(answer);
      await answer.getByRole("button", { name: arrow }).click();
      await expect.poll(() => messagesOf(page, NAME).filter({ hasText: "Question 9" }).count()).toBe(left);
      expect(Math.abs((await topOf(answer)) - before)).toBeLessThanOrEqual(1);
    }
  });

  it("R22 R26 again by another model, chosen by keyboard; the first answer is kept", async () => {
    await ask("Which model?");
    const answer = await answered(quoted("Which model?"));
    await answer.getByRole("button", { name: "Try again with another model" }).focus();
    await page.keyboard.press("Enter");
    const other = otherThan((await api.lastMessage(conversationId(page))).model);
    await pickModel(page, other);
    await settled(page, NAME).getByText("Version 2 of 2").waitFor({ state: "attached" });
    expect((await api.lastMessage(conversationId(page))).model).toBe(other);
    await settled(page, NAME).getByRole("button", { name: "Previous version" }).click();
    await settled(page, NAME).getByText("Version 1 of 2").waitFor({ state: "attached" });
  });

  it("R26 the model of the next message is chosen by keyboard, and stays after a reload", async () => {
    await ask("Hello");
    await answered(quoted("Hello"));
    await page.getByRole("region", { name: "Conversation" }).focus();
    await page.keyboard.press("m");
    const other = otherThan((await api.lastMessage(conversationId(page))).model);
    await pickModel(page, other);
    await page.reload();
    await page.getByRole("button", { name: `Model for the next message: ${other}`, exact: true }).waitFor();
    await send(page, "By whom?");
    await answered(quoted("By whom?"));
    expect((await api.lastMessage(conversationId(page))).model).toBe(other);
  });

  it("R23 a fork is a chat of its own with the same beginning", async () => {
    await ask("Keep this");
    await answered(quoted("Keep this"));
    const origin = conversationId(page);
    await send(page, "Not this");
    await answered(quoted("Not this"));
    const kept = messagesOf(page, NAME).filter({ hasText: "Keep this" });
    await kept.hover();
    await kept.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Fork to a new chat" }).click();
    await page.waitForURL((url) => url.pathname.startsWith("/chat/") && !url.pathname.endsWith(origin));
    await answered(quoted("Keep this"));
    expect(await messagesOf(page, "You").count()).toBe(1);
    expect((await api.messages(origin)).length).toBe(4);
    expect((await api.messages(conversationId(page))).length).toBe(2);
  });

  it("a correction changes the words in place, and they stay", async () => {
    await ask("Mistake");
    const answer = await answered(quoted("Mistake"));
    await answer.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Correct the text…" }).click();
    await page.getByRole("dialog", { name: "Correct the text" }).getByRole("textbox").fill("Put right.");
    await page.getByRole("button", { name: "Save" }).click();
    await answered("Put right.");
    await page.reload();
    await (await answered("Put right.")).getByText("corrected").waitFor();
  });

  it("R6 a link leads to its message, and marks it", async () => {
    const conversation = await api.createConversation(assistant);
    for (let count = 1; count <= 8; count += 1) await api.ask(conversation, `Question ${count}`);
    const wanted = (await api.messages(conversation.id))[4];
    await page.goto(`/chat/${conversation.id}?m=${wanted?.id}`);
    const message = question(page, "Question 3");
    await message.waitFor();
    await expect.poll(() => message.evaluate(isInView)).toBe(true);
  });
});

describe("an answer that was cut short", () => {
  it("R12 goes on after a stop, in place", async () => {
    await ask("[[script:slow]]");
    await reaches(page, NAME, "word5");
    await page.getByRole("button", { name: "Stop" }).click();
    const stopped = settled(page, NAME);
    await stopped.getByText("Stopped.").waitFor();
    const before = await words(stopped);
    await shoot(page, "stopped");
    await stopped.getByRole("button", { name: "Continue" }).click();
    await writing(page, NAME).waitFor();
    const ended = settled(page, NAME);
    await ended.waitFor();
    const after = await words(ended);
    expect(after.startsWith(before)).toBe(true);
    expect(after.length).toBeGreaterThan(before.length);
    expect(await messagesOf(page, NAME).count()).toBe(1);
    expect((await api.lastMessage(conversationId(page))).content.trim()).toBe(after);
  });

  it("at the length limit offers to go on; without a word of the provider offers another try", async () => {
    await ask("[[script:length]]");
    await settled(page, NAME).getByText("Reached the length limit.").waitFor();
    await settled(page, NAME).getByRole("button", { name: "Continue" }).waitFor();
    await ask("[[script:cut]]");
    await settled(page, NAME).getByText("The connection broke. This part was saved.").waitFor();
    await settled(page, NAME).getByRole("button", { name: "Try again", exact: true }).waitFor();
  });
});

describe("more than one device", () => {
  it("R13 the second one sees the answer being written, and both end with the same words", async () => {
    await ask("Hello");
    await answered(quoted("Hello"));
    const other = await openDesk(browser, server);
    await arrive(other.page, ADMIN);
    await other.page.goto(`/chat/${conversationId(page)}`);
    await settled(other.page, NAME).waitFor();
    await send(page, "[[script:slow]]");
    await reaches(page, NAME, "word3");
    // It was open and idle, and learns of the answer by itself.
    await reaches(other.page, NAME, "word8");
    await shoot(other.page, "second-device");
    await expect.poll(() => words(settled(page, NAME)), { timeout: 30_000 }).toBe(SLOW);
    await expect.poll(() => words(settled(other.page, NAME)), { timeout: 30_000 }).toBe(SLOW);
    expect(await messagesOf(other.page, NAME).count()).toBe(2);
    other.expectNoComplaints();
    await other.close();
  });

  it("R13 a closed tab ends nothing: whoever comes back finds the answer going on", async () => {
    await ask("[[script:slow]]");
    await reaches(page, NAME, "word3");
    const address = page.url();
    await page.close();
    page = await desk.context.newPage();
    await page.goto(address);
    await reaches(page, NAME, "word8");
    await answered(SLOW);
    expect(await messagesOf(page, NAME).count()).toBe(1);
  });
});

describe("provider status", () => {
  it("says how the providers fare, and is reached from the overview", async () => {
    await page.goto("/admin");
    await page.locator("main").getByRole("link", { name: "Provider status" }).click();
    await page.getByRole("heading", { level: 1, name: "Provider status" }).waitFor();
    const row = page.getByRole("row", { name: /^OpenAI/ });
    await row.getByText("Working").waitFor();
    await row.getByText(/\d ms$/).waitFor();
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 });
      await expectFits(page, `providers at ${width}`);
      await expectAccessible(page, `providers at ${width}`);
      await shoot(page, `providers-${width}`);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    await composer(page).waitFor({ state: "detached" });
  });
});

function isInView(element: Element): boolean {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}
