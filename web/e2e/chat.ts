// What a person does and sees in a chat.
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

export function composer(page: Page): Locator {
  return page.getByRole("textbox", { name: /^Message / });
}

export async function send(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** The messages of one author in the order of the conversation. */
export function messagesOf(page: Page, author: string): Locator {
  return page.getByRole("article", { name: author });
}

/** The answer being written. */
export function writing(page: Page, author: string): Locator {
  return messagesOf(page, author).and(page.locator("[aria-busy=true]"));
}

/** The last message, once it is an answer that has ended. */
export function settled(page: Page, author: string): Locator {
  const last = page.locator("[data-row]:last-child").getByRole("article", { name: author });
  return last.and(page.locator("[aria-busy=false]"));
}

/** The conversation's id, from the address. */
export function conversationId(page: Page): string {
  return /\/chat\/([^/?#]+)/.exec(page.url())?.[1] ?? "";
}

/** The words of an answer as they stand on the page, without its author, notes and buttons. */
export async function words(answer: Locator): Promise<string> {
  return (await answer.locator(".answer-text").innerText()).trim();
}

/** Waits until the answer that is being written has come as far as these words. */
export async function reaches(page: Page, author: string, text: string): Promise<void> {
  await expect.poll(() => words(writing(page, author)), { timeout: 20_000 }).toContain(text);
}

/** The question with these words. */
export function question(page: Page, text: string): Locator {
  return messagesOf(page, "You").filter({ hasText: text });
}

/** Chooses the model of exactly this name by keyboard; the list must be open. */
export async function pickModel(page: Page, name: string): Promise<void> {
  await page.getByRole("combobox", { name: "Search models" }).and(page.locator(":focus")).waitFor();
  await page.keyboard.type(name);
  const active = page.locator("[role=option][data-active]");
  await active.filter({ hasText: name }).waitFor();
  const offered = await page.getByRole("option").count();
  for (let place = 1; place < offered; place += 1) {
    if ((await active.locator("bdi").first().innerText()) === name) break;
    await page.keyboard.press("ArrowDown");
  }
  await page.keyboard.press("Enter");
  await page.getByRole("listbox", { name: "Models" }).waitFor({ state: "detached" });
}
