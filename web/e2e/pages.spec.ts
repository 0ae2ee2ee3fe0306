// Every page in light and dark, on a phone and on a desk, with data, empty and failing: accessible, within the screen,
// and within the content security policy.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assistants, type Mode, type Site, startSite } from "./site";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [first] = assistants;
const detail = `/assistants/${first?.id}`;

let site: Site;
let browser: Browser;

beforeAll(async () => {
  site = await startSite();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
});

afterAll(async () => {
  await browser?.close();
  await site?.close();
});

interface Look {
  width: number;
  dark: boolean;
  language: "en-US" | "he-IL";
}

/** Opens a page, waits for its heading, hands it over, and fails if the policy was violated or a script threw. */
async function visit(path: string, mode: Mode, look: Look, judge: (page: Page) => Promise<void>): Promise<void> {
  site.mode = mode;
  const context = await browser.newContext({
    viewport: { width: look.width, height: 900 },
    colorScheme: look.dark ? "dark" : "light",
    locale: look.language,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(site.address + path);
  await page.locator("h1").first().waitFor();
  await page.waitForLoadState("networkidle");
  await judge(page);
  expect(complaints).toEqual([]);
  await context.close();
}

async function violations(page: Page): Promise<string[]> {
  // Evaluated by the debugger, not inserted as a script: the page's policy stays as strict as in the product.
  await page.evaluate(axe);
  const results = (await page.evaluate("axe.run()")) as AxeResults;
  return results.violations.map(
    (found) => `${found.id}: ${found.nodes.map((node) => node.target.join(" ")).join(", ")}`,
  );
}

/** Pixels by which the document or its scrolling part is wider than the screen. */
function overflow(page: Page): Promise<number> {
  return page.evaluate(() => {
    const main = document.querySelector("main");
    const inner = main === null ? 0 : main.scrollWidth - main.clientWidth;
    return Math.max(inner, document.documentElement.scrollWidth - window.innerWidth);
  });
}

const pages: [path: string, mode: Mode][] = [
  ["/login", "visitor"],
  ["/setup", "fresh"],
  ["/", "data"],
  ["/", "empty"],
  ["/", "failing"],
  ["/assistants", "data"],
  ["/assistants", "empty"],
  ["/assistants", "failing"],
  [detail, "data"],
  [`${detail}?tab=files`, "data"],
  [`${detail}?tab=files`, "empty"],
  [`${detail}/edit`, "data"],
  ["/assistants/new", "data"],
  ["/chat/new", "data"],
  ["/nowhere", "data"],
];

describe.each(pages)("%s, %s", (path, mode) => {
  it.each<Look>([
    { width: 1280, dark: false, language: "en-US" },
    { width: 1280, dark: true, language: "he-IL" },
    { width: 360, dark: false, language: "he-IL" },
    { width: 360, dark: true, language: "en-US" },
  ])("$width px, dark $dark, $language", async (look) => {
    await visit(path, mode, look, async (page) => {
      expect(await violations(page)).toEqual([]);
      expect(await overflow(page)).toBeLessThanOrEqual(0);
      expect(await page.locator("h1").count()).toBe(1);
      expect(await page.locator("html").getAttribute("dir")).toBe(look.language === "he-IL" ? "rtl" : "ltr");
    });
  });
});

describe("widths in between", () => {
  it.each([390, 640, 768, 1024, 1440, 1920])("V2 nothing is wider than %i px", async (width) => {
    for (const path of ["/", "/assistants", `${detail}?tab=files`]) {
      await visit(path, "data", { width, dark: false, language: "en-US" }, async (page) => {
        expect(await overflow(page)).toBeLessThanOrEqual(0);
      });
    }
  });
});

describe("things only a browser can show", () => {
  it("R29 a file goes out with its name and content, the assistant named first", async () => {
    await visit(`${detail}?tab=files`, "data", { width: 1280, dark: false, language: "en-US" }, async (page) => {
      await page
        .locator("input[type=file]")
        .setInputFiles({ name: "brief.md", mimeType: "text/markdown", buffer: Buffer.from("# The brief") });
      await expect.poll(() => site.uploads.length).toBe(1);
      const [upload] = site.uploads;
      expect(upload?.assistantFirst).toBe(true);
      expect(upload?.text).toContain('filename="brief.md"');
      expect(upload?.text).toContain("# The brief");
      expect(upload?.text).toContain(first?.id);
    });
  });

  it("A1 the skip link is the first stop and leads to the content", async () => {
    await visit("/assistants", "data", { width: 1280, dark: false, language: "en-US" }, async (page) => {
      await page.keyboard.press("Tab");
      await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to content");
      await page.keyboard.press("Enter");
      await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe("content");
    });
  });

  it("V1 on a phone the sidebar opens over the page, closes by Esc, and gives focus back", async () => {
    await visit("/", "data", { width: 360, dark: false, language: "en-US" }, async (page) => {
      const opener = page.locator("main").getByRole("button", { name: "Open sidebar" });
      await opener.click();
      const sheet = page.getByRole("dialog", { name: "Sidebar" });
      await sheet.getByRole("link", { name: "Assistants" }).waitFor();
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await sheet.waitFor({ state: "detached" });
      expect(await opener.evaluate((button) => button === document.activeElement)).toBe(true);
    });
  });

  it("the theme is set before the first paint", async () => {
    const context = await browser.newContext({ colorScheme: "light" });
    await context.addInitScript(() => {
      localStorage.setItem("ai-across:ui", JSON.stringify({ state: { theme: "dark", language: "en" }, version: 0 }));
    });
    const page = await context.newPage();
    site.mode = "visitor";
    // Without the app's own scripts only theme.js can have done it.
    await page.route("**/assets/*.js", (route) => route.abort());
    await page.goto(`${site.address}/login`);
    expect(await page.locator("html").getAttribute("class")).toBe("dark");
    await context.close();
  });
});
