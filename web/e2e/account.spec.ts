// One's own account: name, password, sessions, and what happens to a half-written message when a session is ended by somebody else.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AccountList, Assistant, DeviceSessionList } from "../src/api/types";
import { Api } from "./api";
import { composer, conversationId, send, settled } from "./chat";
import { arrive, type Desk, launchBrowser, openDesk, shoot } from "./desk";
import { ADMIN, administrator, PASSWORD, type Person, type Server, startServer } from "./server";

const NAME = "Press Writer";
const USER: Person = { email: "noa@example.com", name: "Noa Bar", role: "user" };
const NEW_PASSWORD = "a quiet river at noon";

let server: Server;
let browser: Browser;
let desk: Desk;
let page: Page;
let api: Api;
let assistant: Assistant;

beforeAll(async () => {
  server = await startServer({ people: [administrator, USER], vendor: true });
  api = await server.signIn(ADMIN);
  assistant = await api.createAssistant(NAME);
  browser = await launchBrowser();
  desk = await openDesk(browser, server);
  page = desk.page;
  await arrive(page, USER.email);
});
afterEach(() => desk.expectNoComplaints());
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const places = () => page.getByRole("list", { name: "Places where you are signed in" }).getByRole("listitem");

// Each step goes on from where the one before has left the page.
describe("a person", () => {
  it("changes their name, which shows at once and is stored", async () => {
    await page.goto("/settings/profile");
    await page.getByLabel("Name", { exact: true }).fill("Noa Bar-Lev");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("button", { name: /^Account.*Noa Bar-Lev/ }).waitFor();
    const people = await api.call<AccountList>("GET", "/admin/users?search=noa");
    expect(people.users.map((user) => user.name)).toEqual(["Noa Bar-Lev"]);
    expect(await page.getByLabel("Email").getAttribute("readonly")).not.toBeNull();
  });

  it("changes their password: a wrong present one is said, and every other session ends", async () => {
    const elsewhere = await server.signIn(USER.email);
    expect(await elsewhere.status("GET", "/users/me")).toBe(200);
    await page.getByRole("button", { name: "Change password…" }).click();
    const dialog = page.getByRole("dialog", { name: "Change password" });
    await dialog.getByLabel("Present password").fill("not my password at all");
    await dialog.getByLabel("New password").fill(NEW_PASSWORD);
    await dialog.getByRole("button", { name: "Change password" }).click();
    await dialog.getByText("This is not your present password.").waitFor();
    desk.expectNoComplaints(/status of 403 .*\/users\/password$/);
    await dialog.getByLabel("Present password").fill(PASSWORD);
    await dialog.getByRole("button", { name: "Change password" }).click();
    await page.getByText("Password changed. You are signed out everywhere else.").first().waitFor();
    expect(await elsewhere.status("GET", "/users/me")).toBe(401);
    await page.reload();
    await page.getByLabel("Name", { exact: true }).waitFor();
    await expect(Api.signIn(server.address, USER.email, PASSWORD)).rejects.toThrow(/401/);
  });

  it("sees where they are signed in, and signs out elsewhere", async () => {
    const elsewhere = await server.signIn(USER.email, NEW_PASSWORD);
    await page.goto("/settings/sessions");
    await expect.poll(() => places().count()).toBe(2);
    await places().filter({ hasText: "This device" }).getByText("Chrome on Linux").waitFor();
    const { sessions } = await elsewhere.call<DeviceSessionList>("GET", "/users/sessions");
    expect(sessions.length).toBe(2);
    await shoot(page, "sessions");
    await places()
      .filter({ hasNotText: "This device" })
      .getByRole("button", { name: /^Sign out/ })
      .click();
    await expect.poll(() => places().count()).toBe(1);
    expect(await elsewhere.status("GET", "/users/me")).toBe(401);
  });

  it("R17 goes on in place when an administrator ended the session: the message is sent by itself", async () => {
    await page.goto(`/chat/new?assistant=${assistant.id}`);
    await send(page, "Hello");
    await settled(page, NAME).waitFor();
    await composer(page).fill("This took me an hour to write.");
    const people = await api.call<AccountList>("GET", "/admin/users?search=noa");
    await api.call("POST", `/admin/users/${people.users[0]?.id}/revoke-sessions`);
    await page.getByRole("button", { name: "Send" }).click();
    const dialog = page.getByRole("dialog", { name: "Sign in again" });
    await dialog.getByText("Your text is safe.").waitFor();
    await shoot(page, "session-ended");
    await dialog.getByLabel("Password", { exact: true }).fill("not my password at all");
    await dialog.getByRole("button", { name: "Sign in" }).click();
    await dialog.getByText("Email or password is not right.").waitFor();
    await dialog.getByLabel("Password", { exact: true }).fill(NEW_PASSWORD);
    await dialog.getByRole("button", { name: "Sign in" }).click();
    await dialog.waitFor({ state: "detached" });
    await settled(page, NAME).getByText("You asked: “This took me an hour to write.”").waitFor();
    expect(await composer(page).inputValue()).toBe("");
    const again = await server.signIn(USER.email, NEW_PASSWORD);
    const stored = await again.messages(conversationId(page));
    expect(stored.filter((message) => message.role === "user").map((message) => message.content)).toEqual([
      "Hello",
      "This took me an hour to write.",
    ]);
    desk.expectNoComplaints(/status of 401/);
  });

  it("signs out everywhere, this page too", async () => {
    const elsewhere = await server.signIn(USER.email, NEW_PASSWORD);
    await page.goto("/settings/sessions");
    await page.getByRole("button", { name: "Sign out everywhere" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Sign out everywhere" }).click();
    await page.getByRole("heading", { name: "Sign in to your desk" }).waitFor();
    expect(await elsewhere.status("GET", "/users/me")).toBe(401);
  });
});
