// A person's browser: signs in, looks at pages, and keeps every complaint of the browser about them.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { expect } from "vitest";
import { PASSWORD, type Server } from "./server";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
/** A visitor is told 401 when the app asks who is there; the browser reports that as it reports any refusal. */
const VISITOR = /status of 401 .*\/api\/v1\/users\/refresh$/;

export function launchBrowser(): Promise<Browser> {
  const quiet = ["background-networking", "component-update", "sync"].map((name) => `--disable-${name}`);
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", ...quiet],
  });
}

export interface Desk {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Fails if the browser complained of anything but what is expected here, and forgets it. */
  expectNoComplaints(...expected: RegExp[]): void;
  close(): Promise<void>;
}

/** A fresh browser profile with one page. */
export async function openDesk(browser: Browser, server: Server, options: BrowserContextOptions = {}): Promise<Desk> {
  const context = await browser.newContext({
    baseURL: server.address,
    viewport: { width: 1280, height: 800 },
    locale: "en-US",
    ...options,
  });
  context.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  // Violations of the content security policy and failed requests are told on the console.
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${message.text()} ${message.location().url}`);
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== server.address)
      complaints.push(`asked another host: ${request.url()}`);
  });
  return {
    context,
    page: await context.newPage(),
    expectNoComplaints: (...expected) => {
      const allowed = [VISITOR, ...expected];
      const found = complaints.splice(0).filter((complaint) => !allowed.some((pattern) => pattern.test(complaint)));
      expect(found).toEqual([]);
    },
    close: () => context.close(),
  };
}

/** Signs in by the form that is open; where that leads depends on the address. */
export async function signIn(page: Page, email: string, password = PASSWORD): Promise<void> {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Signed in and at the dashboard. */
export async function arrive(page: Page, email: string): Promise<void> {
  await page.goto("/login");
  await signIn(page, email);
  await page.getByRole("heading", { level: 1, name: /^Good / }).waitFor();
}

/** No rule of WCAG 2.0 to 2.2, levels A and AA, is broken by the page as it stands. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  // Evaluated by the debugger, not inserted as a script: the page's policy stays as strict as in the product.
  await page.evaluate(AXE);
  const results = (await page.evaluate(`axe.run({ runOnly: ${JSON.stringify(RULES)} })`)) as AxeResults;
  const found = results.violations.map(
    (rule) => `${what}: ${rule.id}: ${rule.nodes.map((node) => `${node.target.join(" ")} (${node.html})`).join("; ")}`,
  );
  expect(found).toEqual([]);
}

/** Neither the document nor its scrolling part is wider than the screen, and the page reaches down to its edge. */
export async function expectFits(page: Page, what: string): Promise<void> {
  const { wider, shorter } = await page.evaluate(() => {
    const main = document.querySelector("main");
    const inner = main === null ? 0 : main.scrollWidth - main.clientWidth;
    return {
      wider: Math.max(inner, document.documentElement.scrollWidth - window.innerWidth),
      shorter: Math.max(0, window.innerHeight - (main?.getBoundingClientRect().bottom ?? 0)),
    };
  });
  expect({ what, wider, shorter }).toEqual({ what, wider: 0, shorter: 0 });
}

/** Keeps a picture for whoever asked for pictures by naming a directory in `E2E_SHOTS`. */
export async function shoot(page: Page, name: string): Promise<void> {
  const directory = process.env.E2E_SHOTS;
  if (directory === undefined) return;
  mkdirSync(directory, { recursive: true });
  await page.screenshot({ path: join(directory, `${name}.png`) });
}
