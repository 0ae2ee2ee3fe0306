// Following an answer and being left alone: the transcript never moves its reader.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Assistant } from "../src/api/types";
import { reaches, send, settled, words, writing } from "./chat";
import { arrive, type Desk, launchBrowser, openDesk, shoot } from "./desk";
import { ADMIN, administrator, type Server, startServer } from "./server";

const NAME = "Scribe";
/** Nearer than this, in pixels, counts as being at the end. */
const AT_END = 80;

let server: Server;
let browser: Browser;
let desk: Desk;
let page: Page;
let assistant: Assistant;

beforeAll(async () => {
  server = await startServer({ people: [administrator], vendor: true });
  assistant = await (await server.signIn(ADMIN)).createAssistant(NAME);
  browser = await launchBrowser();
  // Narrow, so that a slow answer of fifty words takes many lines.
  desk = await openDesk(browser, server, { viewport: { width: 400, height: 700 } });
  page = desk.page;
  await arrive(page, ADMIN);
});
afterEach(() => desk.expectNoComplaints());
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const transcript = () => page.getByRole("region", { name: "Conversation" });
const jump = () => page.getByRole("button", { name: /^Jump to latest/ });
/** The button stays on the page; while it is hidden nobody can reach it. */
const isOffered = () => jump().evaluate((button) => button.closest("[inert]") === null);
const top = () => transcript().evaluate((box) => box.scrollTop);
const distance = () => transcript().evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);

async function startChat(): Promise<void> {
  await page.goto(`/chat/new?assistant=${assistant.id}`);
}

interface Followed {
  /** The largest distance from the end that was ever painted. */
  readonly farthest: number;
  /** How often the text had grown between two painted frames. */
  readonly steps: number;
}

/** Watches every painted frame until the answer, running or to come, has ended. */
function followToEnd(): Promise<Followed> {
  return page.evaluate(
    () =>
      new Promise<Followed>((resolve) => {
        let farthest = 0;
        let begun = false;
        let steps = 0;
        let height = 0;
        const look = () => {
          const root = document.querySelector("section[aria-label=Conversation]");
          const feed = root?.querySelector("[role=feed]");
          if (!root || !feed) return;
          // Unlike any measuring by hand, an observer tells the layout of the frame that was painted.
          const frame = new IntersectionObserver(
            ([seen]) => {
              frame.disconnect();
              if (seen?.rootBounds) {
                farthest = Math.max(farthest, seen.boundingClientRect.bottom - seen.rootBounds.bottom);
                if (seen.boundingClientRect.height > height) steps += 1;
                height = seen.boundingClientRect.height;
              }
              const busy = document.querySelector("article[aria-busy=true]") !== null;
              begun ||= busy;
              if (begun && !busy) resolve({ farthest, steps });
              else look();
            },
            { root },
          );
          frame.observe(feed);
        };
        look();
      }),
  );
}

async function stop(): Promise<void> {
  await page.getByRole("button", { name: "Stop" }).click();
  await settled(page, NAME).getByText("Stopped.").waitFor();
}

describe("a reader of the transcript", () => {
  it("R1 R6 is kept at the end from the own message to the last line", async () => {
    await startChat();
    await send(page, "Hello");
    await settled(page, NAME).waitFor();
    const following = followToEnd();
    await send(page, "[[script:long]]");
    const { farthest, steps } = await following;
    expect(farthest).toBeLessThanOrEqual(AT_END);
    expect(steps).toBeGreaterThan(3);
    expect(await transcript().evaluate((box) => box.scrollHeight / box.clientHeight)).toBeGreaterThan(10);
    expect(await distance()).toBeLessThanOrEqual(AT_END);
    await page.getByText("Section 60", { exact: true }).waitFor();
    expect(await isOffered()).toBe(false);
  });

  it("R2 R4 is let go by the wheel and not moved by a pixel until jumping back", async () => {
    await send(page, "[[script:slow]]");
    await reaches(page, NAME, "word3");
    expect(await distance()).toBeLessThanOrEqual(AT_END);
    await transcript().hover();
    await page.mouse.wheel(0, -400);
    await expect.poll(isOffered).toBe(true);
    expect(await jump().innerText()).toBe("Jump to latest · writing…");
    const held = await top();
    await shoot(page, "jump");
    await reaches(page, NAME, "word30");
    expect(await top()).toBe(held);
    await jump().click();
    await expect.poll(distance).toBeLessThanOrEqual(AT_END);
    // Followed again to the end.
    expect((await followToEnd()).farthest).toBeLessThanOrEqual(AT_END);
    expect(await words(settled(page, NAME))).toContain("word50");
    expect(await isOffered()).toBe(false);
  });

  it("R2 R4 is let go and brought back by the keyboard; a smaller window is no act", async () => {
    await send(page, "[[script:slow]]");
    await reaches(page, NAME, "word3");
    await page.setViewportSize({ width: 400, height: 480 });
    await expect.poll(distance).toBeLessThanOrEqual(AT_END);
    expect(await isOffered()).toBe(false);
    await transcript().focus();
    await page.keyboard.press("PageUp");
    await expect.poll(isOffered).toBe(true);
    await page.keyboard.press("End");
    await expect.poll(distance).toBeLessThanOrEqual(AT_END);
    expect(await isOffered()).toBe(false);
    await stop();
  });

  it("R3 selecting text holds the view", async () => {
    await send(page, "[[script:slow]]");
    await reaches(page, NAME, "word3");
    await writing(page, NAME).getByText("word1").selectText();
    const held = await top();
    await reaches(page, NAME, "word30");
    expect(await top()).toBe(held);
    await stop();
  });

  it("R5 for whoever chose so, following stops when the answer's first line is at the top", async () => {
    await page.goto("/settings/chat");
    await page.getByRole("radio", { name: "Stop at the top of the answer" }).check();
    await page.setViewportSize({ width: 400, height: 420 });
    await startChat();
    await send(page, "[[script:slow]]");
    await reaches(page, NAME, "word45");
    const start = () =>
      writing(page, NAME).evaluate((answer) => {
        const box = answer.closest("section");
        return answer.getBoundingClientRect().top - (box?.getBoundingClientRect().top ?? 0);
      });
    const before = await start();
    expect(before).toBeGreaterThanOrEqual(-16);
    expect(before).toBeLessThanOrEqual(80);
    await settled(page, NAME).waitFor();
    expect(await distance()).toBeGreaterThan(0);
    expect(await isOffered()).toBe(true);
    await jump().click();
    await expect.poll(distance).toBeLessThanOrEqual(1);
    await page.goto("/settings/chat");
    await page.getByRole("radio", { name: "Follow the end" }).check();
    await page.setViewportSize({ width: 400, height: 700 });
  });
});
