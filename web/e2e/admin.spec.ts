// What an administrator does and whom it reaches: a key, a person, a role, a setting, a quota, and the record of it all.
import { readFileSync } from "node:fs";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AccountList, Assistant, AuditLog, UsageSummary } from "../src/api/types";
import type { Api } from "./api";
import { composer, conversationId, reaches, send, settled } from "./chat";
import { arrive, type Desk, launchBrowser, openDesk, shoot, signIn } from "./desk";
import { ADMIN, administrator, type Server, startServer } from "./server";

const NAME = "Press Writer";
const URI = "uri@example.com";
const OWN_PASSWORD = "a quiet river at noon";

let server: Server;
let browser: Browser;
/** The administrator's, and that of the person who is added. */
let desk: Desk;
let other: Desk;
let page: Page;
let theirs: Page;
let api: Api;
let assistant: Assistant;

beforeAll(async () => {
  server = await startServer({
    people: [administrator],
    vendor: "unknown",
    environment: { AI_ACROSS_ALLOW_PRIVATE_PROVIDERS: "true" },
  });
  api = await server.signIn(ADMIN);
  browser = await launchBrowser();
  desk = await openDesk(browser, server, { acceptDownloads: true });
  other = await openDesk(browser, server);
  page = desk.page;
  theirs = other.page;
  await arrive(page, ADMIN);
});
afterEach(() => {
  desk.expectNoComplaints();
  other.expectNoComplaints();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

function row(name: string): Locator {
  return page.getByRole("row").filter({ hasText: name });
}

async function choose(name: string, action: string): Promise<void> {
  await page.getByRole("button", { name: `Actions for ${name}` }).click();
  await page.getByRole("menuitem", { name: action }).click();
}

/** Starts a new chat of the person with the assistant and waits for the answer. */
async function askInNewChat(question: string): Promise<void> {
  await theirs.goto(`/chat/new?assistant=${assistant.id}`);
  await send(theirs, question);
}

// Each step goes on from where the one before has left the pages.
describe("an administrator", () => {
  it("adds a key of an own provider, sees that it works, and chats through it", async () => {
    await page.goto("/admin/api-keys");
    await page.getByText("No provider keys yet").waitFor();
    await page.getByRole("button", { name: "Add key" }).first().click();
    const dialog = page.getByRole("dialog", { name: "Add a key" });
    await dialog.getByLabel("Provider", { exact: true }).selectOption("custom");
    await dialog.getByLabel("Name", { exact: true }).fill("House models");
    await dialog.getByLabel("Address of the service").fill(server.vendorAddress);
    await dialog.getByLabel("Key", { exact: true }).fill("sk-scripted-0123456789-9f2c");
    await dialog.getByLabel("Price in, $ for 1 M tokens").fill("2");
    await dialog.getByLabel("Price out, $ for 1 M tokens").fill("8");
    await shoot(page, "key-dialog");
    await dialog.getByRole("button", { name: "Add key" }).click();
    await row("House models").getByText("…9f2c").waitFor();
    await page.getByRole("button", { name: "Test House models" }).click();
    await row("House models")
      .getByText(/^Works, \d+ ms\.$/)
      .waitFor();
    assistant = await api.createAssistant(NAME, { model: "gpt-4o", max_tokens: 100 });
    await page.goto(`/chat/new?assistant=${assistant.id}`);
    await send(page, "Are you there?");
    await settled(page, NAME).getByText("You asked: “Are you there?”").waitFor();
    expect((await api.lastMessage(conversationId(page))).provider).toBe("custom");
  });

  it("adds a person, who can do nothing before choosing a password of their own", async () => {
    await page.goto("/admin/users");
    await page.getByRole("button", { name: "Add user" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a user" });
    await dialog.getByLabel("Name").fill("Uri Katz");
    await dialog.getByLabel("Email").fill(URI);
    await dialog.getByRole("button", { name: "Add user" }).click();
    const temporary = await page.getByRole("status", { name: "Temporary password" }).innerText();
    await shoot(page, "temporary-password");
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
    await row("Uri Katz").getByText("must change password").waitFor();

    expect(await (await server.signIn(URI, temporary)).status("GET", "/assistants")).toBe(403);
    await theirs.goto("/login");
    await signIn(theirs, URI, temporary);
    const due = theirs.getByRole("heading", { level: 1, name: "Choose a new password" });
    await due.waitFor();
    for (const path of ["/", "/chat/new", "/settings/sessions", "/assistants"]) {
      await theirs.goto(path);
      await due.waitFor();
    }
    await shoot(theirs, "password-due");
    await theirs.getByLabel("Present password").fill(temporary);
    await theirs.getByLabel("New password").fill(OWN_PASSWORD);
    await theirs.getByRole("button", { name: "Change password" }).click();
    await theirs.getByRole("heading", { level: 1, name: "Assistants" }).waitFor();
  });

  it("gives the person another role, which holds without signing in again", async () => {
    const theirApi = await server.signIn(URI, OWN_PASSWORD);
    expect(await theirApi.status("POST", "/assistants", { name: "Mine" })).toBe(403);
    expect(await theirs.getByText("Create assistant").count()).toBe(0);
    await page.goto("/admin/users");
    await page.getByRole("link", { name: "Uri Katz" }).click();
    const dialog = page.getByRole("dialog", { name: "Edit Uri Katz" });
    await dialog.getByLabel("Role").selectOption("manager");
    await dialog.getByRole("button", { name: "Save" }).click();
    await row("Uri Katz").getByText("Manager").waitFor();
    // The token given before the change opens what the new role may do.
    expect(await theirApi.status("POST", "/assistants", { name: "Mine" })).toBe(201);
    await theirs.reload();
    await theirs.getByRole("link", { name: "Create assistant" }).first().waitFor();
    await theirs.goto("/admin/users");
    await theirs.getByRole("heading", { name: "Not for your role" }).waitFor();
  });

  it("changes settings, which the other person sees within five seconds", async () => {
    await page.goto("/admin/settings");
    await page.getByLabel("Name of this installation").fill("Chainlab Desk");
    await page.getByLabel("Longest message, in characters").fill("1000");
    await page.getByRole("button", { name: "Save: General" }).click();
    await page.getByText("Saved.").first().waitFor();
    const longest = async () => {
      await theirs.goto(`/chat/new?assistant=${assistant.id}`);
      await composer(theirs).fill("x".repeat(1001));
      await theirs.locator("[data-slot=composer] [role=status]").waitFor({ timeout: 1_000 });
    };
    await expect
      .poll(
        () =>
          longest().then(
            () => "said",
            () => "silent",
          ),
        { timeout: 5_000 },
      )
      .toBe("said");
    await theirs.getByText("1,001 of 1,000 characters. Shorten it.").waitFor();
    await theirs.getByRole("link", { name: "Chainlab Desk" }).waitFor();
    expect(await theirs.title()).toContain("Chainlab Desk");
    await composer(theirs).fill("");
    await page.getByRole("button", { name: "Reset to default: Name of this installation" }).click();
    await page.getByRole("button", { name: "Reset to default: Longest message, in characters" }).click();
    await page.getByRole("button", { name: "Save: General" }).click();
    await page
      .getByRole("button", { name: "Reset to default: Name of this installation" })
      .waitFor({ state: "detached" });
  });

  it("sets a quota: its meter shows, then it is used up, in words, and the text is kept", async () => {
    await page.goto("/admin/usage?tab=quotas");
    await page.getByRole("button", { name: "Add quota" }).first().click();
    const dialog = page.getByRole("dialog", { name: "Add a quota" });
    await dialog.getByLabel("Applies to").selectOption("user");
    await dialog.getByLabel("Person").selectOption({ label: `Uri Katz · ${URI}` });
    await dialog.getByLabel("US dollars per day").fill("0.003");
    await dialog.getByRole("button", { name: "Add quota" }).click();
    await row("Uri Katz").waitFor();

    await askInNewChat("How does a pitch begin?");
    await settled(theirs, NAME).waitFor();
    await theirs.getByRole("link", { name: /of \$0\.003 today/ }).waitFor();
    const theirApi = await server.signIn(URI, OWN_PASSWORD);
    const path = `/conversations/${conversationId(theirs)}/messages`;
    await expect
      .poll(() => theirApi.status("POST", path, { content: "And on?", stream: false }), { timeout: 30_000 })
      .toBe(429);
    await theirs.reload();
    await send(theirs, "One more question, which must not be lost.");
    const refusal = theirs.getByRole("alert").filter({ hasText: "Today's budget is used up" });
    await refusal.waitFor();
    expect(await refusal.innerText()).toContain("($0.003). It starts again at");
    expect(await composer(theirs).inputValue()).toBe("One more question, which must not be lost.");
    await shoot(theirs, "quota-reached");
    other.expectNoComplaints(/status of 429 .*\/messages$/);
    await page.reload();
    await row("Uri Katz")
      .getByText(/ today \(\d+ %\)$/)
      .waitFor();
    await choose("Person: Uri Katz", "Delete…");
    await page.getByRole("button", { name: "Delete quota" }).click();
    await page.getByText("No quotas yet").waitFor();
  });

  it("deactivates the person: the answer they are reading ends, with words", async () => {
    await askInNewChat("[[script:slow]]");
    await reaches(theirs, NAME, "word2");
    await page.goto("/admin/users");
    await choose("Uri Katz", "Deactivate…");
    await page.getByRole("button", { name: "Deactivate" }).click();
    await row("Uri Katz").getByText("Deactivated").waitFor();
    const asked = theirs.getByRole("dialog", { name: "Sign in again" });
    await asked.waitFor();
    await shoot(theirs, "deactivated");
    // The page behind the dialog keeps what had come.
    const kept = await theirs.locator("article .answer-text").innerText();
    expect(kept).toContain("word2");
    expect(kept).not.toContain("word50");
    await asked.getByLabel("Password", { exact: true }).fill(OWN_PASSWORD);
    await asked.getByRole("button", { name: "Sign in" }).click();
    await asked.getByText("Email or password is not right.").waitFor();
    other.expectNoComplaints(/status of 401/);
    const people = await api.call<AccountList>("GET", "/admin/users?search=uri");
    expect(people.users.map((user) => user.is_active)).toEqual([false]);
  });

  it("finds all of it in the audit log, with what changed, and in its CSV", async () => {
    await page.goto("/admin/audit-logs");
    const expected = [
      "api_key.create",
      "user.create",
      "settings.update",
      "quota.create",
      "quota.delete",
      "user.update",
    ];
    for (const action of expected) await page.getByRole("cell", { name: action, exact: true }).first().waitFor();
    await page.goto("/admin/audit-logs?action=user.update");
    await page
      .getByRole("link", { name: /^Details of user\.update/ })
      .last()
      .click();
    const sheet = page.getByRole("dialog", { name: "Details" });
    await sheet.getByText("role", { exact: true }).waitFor();
    expect(await sheet.locator("del").innerText()).toBe("user");
    expect(await sheet.locator("ins").innerText()).toBe("manager");
    await shoot(page, "audit-sheet");
    await page.keyboard.press("Escape");
    await page.goto("/admin/audit-logs");
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export CSV" }).click();
    const csv = readFileSync(await (await download).path(), "utf8")
      .trim()
      .split("\r\n");
    for (const action of expected) expect(csv.join("\n")).toContain(`,${action},`);
    expect(csv.join("\n")).not.toContain("sk-scripted");
    const { total } = await api.call<AuditLog>("GET", "/audit?limit=1");
    expect(csv.length).toBe(total + 1);
  });

  it("reads the same figures on the usage page as the log of use holds", async () => {
    await page.goto("/admin/usage");
    const { groups } = await api.call<UsageSummary>("GET", "/usage/summary?group_by=day");
    const sum = (value: (group: (typeof groups)[number]) => number) =>
      groups.reduce((all, each) => all + value(each), 0);
    const number = new Intl.NumberFormat("en");
    const requests = number.format(sum((each) => each.requests));
    const tokens = number.format(sum((each) => each.total_tokens));
    await page.getByText(`${requests} requests, ${tokens} tokens, `).waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export CSV" }).click();
    const [header = "", ...lines] = readFileSync(await (await download).path(), "utf8")
      .trim()
      .split("\r\n");
    const column = header.split(",").indexOf("total_tokens");
    expect(number.format(lines.reduce((all, line) => all + Number(line.split(",")[column]), 0))).toBe(tokens);
    await shoot(page, "usage");
  });
});
