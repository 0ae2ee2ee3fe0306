// Every page with and without data, in both themes and languages, on a desk and on a phone: accessible and within the screen.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Api } from "./api";
import { composer, conversationId, messagesOf, send, settled, writing } from "./chat";
import { arrive, type Desk, expectAccessible, expectFits, launchBrowser, openDesk, shoot } from "./desk";
import { ADMIN, administrator, corpus, type Server, startServer } from "./server";

const NAME = "Press Writer";
/** Pages with the words that show once they have what they ask for. */
const settings = [
  ["settings-profile", "/settings/profile", "Changing it signs you out everywhere else."],
  ["settings-appearance", "/settings/appearance", "Touch screens keep their room."],
  ["settings-chat", "/settings/chat", "New chats begin with it."],
  ["settings-usage", "/settings/usage", "This month"],
  ["settings-sessions", "/settings/sessions", "This device"],
] as const;
const administration = [
  ["admin-overview", "/admin", "Cost this month"],
  ["admin-users", "/admin/users", "you"],
  ["admin-settings", "/admin/settings", "Longest message, in characters"],
  ["admin-audit", "/admin/audit-logs", "user.login"],
  ["admin-providers", "/admin/providers", "Last answer"],
  ["admin-queue", "/admin/queue", "Files that failed"],
] as const;
const empty = [
  ["admin-keys", "/admin/api-keys", "No provider keys yet"],
  ["admin-usage", "/admin/usage", "No entries in this period"],
  ["admin-quotas", "/admin/usage?tab=quotas", "No quotas yet"],
] as const;
const filled = [
  ["admin-keys", "/admin/api-keys", "House models"],
  ["admin-usage", "/admin/usage", "in all"],
  ["admin-quotas", "/admin/usage?tab=quotas", "Person: Noa Bar"],
] as const;
const NOTES =
  "# The launch\n\nThe mainnet opens on 14 October. The founder is Maya Cohen.\n\nThe embargo ends at nine.\n";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

const looks = [
  { width: 1280, scheme: "light" },
  { width: 1280, scheme: "dark" },
  { width: 360, scheme: "light" },
  { width: 360, scheme: "dark" },
] as const;

/** Judges what lies over the page in every look. */
async function judgeOverlay(page: Page, name: string): Promise<void> {
  for (const { width, scheme } of looks) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 800 });
    await page.locator(`html${scheme === "dark" ? ".dark" : ":not(.dark)"}`).waitFor({ state: "attached" });
    await expectAccessible(page, `${name}-${width}-${scheme}`);
    await shoot(page, `${name}-${width}-${scheme}`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

/** Judges the page as it stands in every look. */
async function judge(page: Page, name: string, chosen: readonly (typeof looks)[number][] = looks): Promise<void> {
  expect(await page.locator("h1").count()).toBe(1);
  for (const { width, scheme } of chosen) {
    const what = `${name}-${width}-${scheme}`;
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 800 });
    await page.locator(`html${scheme === "dark" ? ".dark" : ":not(.dark)"}`).waitFor({ state: "attached" });
    await expectFits(page, what);
    await expectAccessible(page, what);
    await shoot(page, what);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

describe("an empty installation", () => {
  let server: Server;
  let desk: Desk;

  beforeAll(async () => {
    server = await startServer();
    desk = await openDesk(browser, server);
  });
  afterEach(() => desk.expectNoComplaints());
  afterAll(() => server?.close());

  it("set-up, also with its fields refused", async () => {
    const { page } = desk;
    await page.goto(server.setupLink);
    await page.getByLabel("Your name").waitFor();
    await judge(page, "setup");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByText("Fill this in.").first().waitFor();
    expect(await page.evaluate(() => document.activeElement?.getAttribute("name"))).toBe("name");
    await judge(page, "setup-refused", looks.slice(0, 2));
  });
});

describe("an installation at work", () => {
  let server: Server;
  let desk: Desk;
  let page: Page;
  let api: Api;
  let pages: [name: string, path: string, ready: string][];

  beforeAll(async () => {
    server = await startServer({ people: [administrator], vendor: true });
    api = await server.signIn(ADMIN);
    desk = await openDesk(browser, server);
    page = desk.page;
  });
  afterEach(() => desk.expectNoComplaints());
  afterAll(() => server?.close());

  it("sign-in, and the theme set before the first paint", async () => {
    await page.goto("/login");
    await page.getByRole("heading", { name: "Sign in to your desk" }).waitFor();
    await judge(page, "login");
    // Without the app's own scripts only theme.js can set it.
    await page.route("**/assets/*.js", (route) => route.abort());
    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto("/login");
    expect(await page.locator("html").getAttribute("class")).toBe("dark");
    await page.unroute("**/assets/*.js");
    desk.expectNoComplaints(/ERR_FAILED/);
  });

  it("nothing there yet", async () => {
    await arrive(page, ADMIN);
    await page.getByText("Create your first assistant").waitFor();
    await judge(page, "dashboard-empty", looks.slice(1, 3));
    await page.goto("/chat/new");
    await page.getByText("No assistants yet").waitFor();
    await judge(page, "new-chat-empty", looks.slice(1, 3));
  });

  it("the pages of settings and administration, with nothing to show yet", async () => {
    for (const [name, path, ready] of [...settings, ...administration, ...empty]) {
      await page.goto(path);
      await page.getByText(ready).locator("visible=true").first().waitFor();
      await judge(page, `${name}-empty`);
    }
  });

  it("with assistants, files in every state, and an answer with sources", async () => {
    const assistant = await api.createAssistant(NAME, {
      description: "Releases and pitches in the style of the house.",
      instructions: "Write plainly.\n\nכשהלקוח ישראלי, כתוב בעברית.",
    });
    await api.createAssistant("מתרגם עברית־אנגלית", { description: "תרגום הודעות לעיתונות, בשני הכיוונים." });
    await api.createAssistant("A very long name of an assistant that fits on no");
    await api.upload(assistant, Buffer.from(NOTES), "launch notes.md");
    await api.upload(assistant, Buffer.from(NOTES.repeat(2)), "הנחיות מותג 2025.txt");
    await api.upload(assistant, corpus("password.pdf"));
    const conversation = await api.createConversation(assistant);
    await api.ask(conversation, "When does the mainnet open?");
    await api.ask(conversation, "[[script:hebrew]]");
    const cited = await api.createConversation(assistant);
    await api.ask(cited, "When does the embargo end?");
    const message = await api.lastMessage(cited.id);
    const at = `/assistants/${assistant.id}`;
    pages = [
      ["dashboard", "/", NAME],
      ["assistants", "/assistants", NAME],
      ["assistant", at, "Write plainly."],
      ["files", `${at}?tab=files`, "launch notes.md"],
      ["assistant-test", `${at}?tab=test`, "No model is asked."],
      ["assistant-edit", `${at}/edit`, "Longest answer"],
      ["assistant-new", "/assistants/new", "Longest answer"],
      ["new-chat", "/chat/new", "What are we writing?"],
      ["chat", `/chat/${conversation.id}`, "תשובה"],
      ["chat-sources", `/chat/${cited.id}?sources=${message.id}`, "Open passage"],
      ["not-found", "/nowhere", "Page not found"],
    ];
    for (const [name, path, ready] of pages) {
      await page.goto(path);
      await page.getByText(ready).locator("visible=true").first().waitFor();
      await judge(page, name);
    }
  });

  it("the pages of settings and administration at work, and what opens over them", async () => {
    await api.call(
      "POST",
      "/api-keys",
      JSON.stringify({
        provider: "openai",
        name: "House models",
        key: "sk-scripted-0123456789-9f2c",
        is_default: true,
      }),
    );
    const person = await api.call<{ id: string }>(
      "POST",
      "/admin/users",
      JSON.stringify({ email: "noa@example.com", name: "Noa Bar" }),
    );
    const quota = { scope: "user", scope_id: person.id, daily_cost_limit: 5, monthly_token_limit: 1_000_000 };
    await api.call("POST", "/quotas", JSON.stringify(quota));
    await api.call("POST", "/quotas", JSON.stringify({ scope: "global", daily_token_limit: 100_000 }));
    for (const [name, path, ready] of [...settings, ...administration, ...filled]) {
      await page.goto(path);
      await page.getByText(ready).locator("visible=true").first().waitFor();
      await judge(page, name);
    }
    for (const [name, path, opener] of [
      ["user-dialog", "/admin/users", "Add user"],
      ["key-dialog", "/admin/api-keys", "Add key"],
      ["quota-dialog", "/admin/usage?tab=quotas", "Add quota"],
      ["password-dialog", "/settings/profile", "Change password…"],
    ] as const) {
      await page.goto(path);
      await page.getByRole("button", { name: opener }).first().click();
      await page.getByRole("dialog").getByRole("button").last().waitFor();
      await judgeOverlay(page, name);
    }
    await page.goto("/admin/audit-logs");
    await page
      .getByRole("link", { name: /^Details of quota\.create/ })
      .first()
      .click();
    await page.getByRole("dialog").locator("ins").first().waitFor();
    await judgeOverlay(page, "audit-sheet");
  });

  it("what opens in a chat: models, the actions of a message, other words for a question", async () => {
    await page.goto(pages.find(([name]) => name === "chat")?.[1] ?? "");
    await page.getByRole("button", { name: /^Model for the next message/ }).click();
    await page.getByRole("listbox", { name: "Models" }).waitFor();
    await judgeOverlay(page, "model-picker");
    await page.keyboard.press("Escape");
    await settled(page, NAME).getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Fork to a new chat" }).waitFor();
    await judgeOverlay(page, "message-menu");
    await page.keyboard.press("Escape");
    await composer(page).focus();
    await page.keyboard.press("ArrowUp");
    await page.getByRole("dialog", { name: "Edit your message" }).waitFor();
    await judgeOverlay(page, "edit-dialog");
    await page.keyboard.press("Escape");
  });

  it("the passage of a source, over the page", async () => {
    await page.goto(pages.find(([name]) => name === "chat-sources")?.[1] ?? "");
    await page.getByRole("button", { name: "Open passage" }).first().click();
    await page.getByRole("dialog").locator("mark").first().waitFor();
    await expectAccessible(page, "passage");
  });

  it("V2 no width in between scrolls sideways", async () => {
    for (const [name, path, ready] of pages.filter(([each]) => ["dashboard", "files", "chat"].includes(each))) {
      await page.goto(path);
      await page.getByText(ready).locator("visible=true").first().waitFor();
      for (const width of [320, 390, 640, 768, 1024, 1440, 1920]) {
        await page.setViewportSize({ width, height: 800 });
        await expectFits(page, `${name} at ${width}`);
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  it("lists that could not be loaded say so and can be tried again", async () => {
    const broken = { status: 500, json: { error: "InternalError", message: "A fault.", request_id: "r-1" } };
    await page.route("**/api/v1/assistants?*", (route) => route.fulfill(broken));
    await page.route("**/api/v1/conversations?*", (route) => route.fulfill(broken));
    await page.goto("/");
    await page.getByText("Could not load the assistants").waitFor();
    await page.locator("main").getByText("Could not load your chats").waitFor();
    await judge(page, "dashboard-failing", looks.slice(1, 3));
    await page.unroute("**/api/v1/assistants?*");
    await page.locator("main").getByRole("button", { name: "Try again" }).first().click();
    await page.getByRole("heading", { name: NAME }).waitFor();
    await page.unroute("**/api/v1/conversations?*");
    desk.expectNoComplaints(/status of 500/);
  });

  it("I1 in Hebrew everything runs from right to left", async () => {
    await page.goto("/settings/appearance");
    await page.getByLabel("Language").selectOption("he");
    await page.locator("html[dir=rtl][lang=he]").waitFor({ state: "attached" });
    for (const [name, path] of [...pages, ...settings, ...administration, ...filled]) {
      await page.goto(path);
      await page.locator("h1").waitFor();
      await page.waitForLoadState("networkidle");
      await judge(page, `he-${name}`, [looks[1], looks[2]]);
    }
    await page.goto("/settings/appearance");
    await page.getByLabel("שפה").selectOption("en");
    await page.locator("html[dir=ltr][lang=en]").waitFor({ state: "attached" });
  });

  it("V1 on a phone the sidebar opens over the page, closes by Esc, and gives the focus back", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto("/");
    const opener = page.locator("main").getByRole("button", { name: "Open sidebar" });
    await opener.click();
    const sheet = page.getByRole("dialog", { name: "Sidebar" });
    await sheet.getByRole("link", { name: "Assistants" }).waitFor();
    await expectAccessible(page, "sidebar");
    await shoot(page, "sidebar-phone");
    await page.keyboard.press("Escape");
    await sheet.waitFor({ state: "detached" });
    expect(await opener.evaluate((button) => button === document.activeElement)).toBe(true);
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  it("A1 A2 R12 with the keyboard alone: past the sidebar, ask, stop, and to the answer's buttons", async () => {
    const focused = () => page.evaluate(() => document.activeElement?.textContent ?? "");
    await page.goto("/assistants");
    await page.getByRole("heading", { name: NAME }).waitFor();
    await page.keyboard.press("Tab");
    await expect.poll(focused).toBe("Skip to content");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe("content");
    await tabTo(/^Start chat: Press Writer$/);
    await page.keyboard.press("Enter");
    // The composer has the focus: one can write at once.
    await composer(page).and(page.locator(":focus")).waitFor();
    await page.keyboard.type("[[script:slow]]");
    await page.keyboard.press("Enter");
    await writing(page, NAME).getByText("word3").waitFor();
    expect(await composer(page).evaluate((field) => field === document.activeElement)).toBe(true);
    await page.keyboard.press("Escape");
    await settled(page, NAME).getByText("Stopped.").waitFor();
    expect((await api.lastMessage(conversationId(page))).status).toBe("stopped");
    await page.keyboard.type("Line one");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("line two");
    await page.keyboard.press("Enter");
    await messagesOf(page, NAME).filter({ hasText: "This is a scripted answer." }).waitFor();
    expect((await api.messages(conversationId(page))).at(-2)?.content).toBe("Line one\nline two");
    await page.keyboard.press("Shift+Tab");
    const name = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    expect(await name()).toBe("More actions");
    await page.keyboard.press("Enter");
    await page.getByRole("menuitem", { name: "Copy as markdown" }).waitFor();
    await page.locator("[role=menu]:focus, [role=menu] :focus").waitFor();
    await page.keyboard.press("Escape");
    await expect.poll(name).toBe("More actions");
  });

  /** Presses Tab until something with this name has the focus. */
  async function tabTo(name: RegExp): Promise<void> {
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press("Tab");
      if (name.test(await page.evaluate(() => document.activeElement?.textContent ?? ""))) return;
    }
    throw new Error(`Tab does not lead to ${name}.`);
  }

  it("A6 a screen reader hears that an answer is being written, and then the answer", async () => {
    await page.goto("/chat/new");
    const polite = page.locator("[aria-live=polite]").first();
    await send(page, "[[script:keepalive]]");
    await expect.poll(() => polite.textContent()).toMatch(/is writing/);
    await expect.poll(() => polite.textContent()).toMatch(/^Answer ready\. You asked/);
  });
});
