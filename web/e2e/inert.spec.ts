// S-39: what somebody stored cannot act in the browser of whoever opens it: saved and not shown, and dead where it is shown.
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Assistant, KnowledgeFile } from "../src/api/types";
import type { Api } from "./api";
import { arrive, type Desk, launchBrowser, openDesk } from "./desk";
import { ADMIN, administrator, PASSWORD, type Server, startServer } from "./server";

/** What each file tries in every way it knows; whoever lets it act sees another title, a dialog or a request. */
const ACT = "document.title='acted';fetch('/acted');alert(1)";
const SCRIPTS = `<script>${ACT}</script><img src="/acted" onerror="${ACT}"><svg onload="${ACT}"><script>${ACT}</script></svg>`;

const HTML = Buffer.from(`<!DOCTYPE html><html><head><title>Still</title></head><body onload="${ACT}">
<p>The vault opens at noon.</p>${SCRIPTS}<p>&lt;img src=x onerror="${ACT}"&gt; is how it is written.</p>
<iframe srcdoc="&lt;script&gt;${ACT}&lt;/script&gt;"></iframe><a href="javascript:${ACT}">link</a></body></html>`);
const MARKDOWN = Buffer.from(`# The vault\n\n${SCRIPTS}\n\n[link](javascript:${ACT})\n`);

/** A page of one line whose catalogue tells the reader to run a script. */
function pdf(): Buffer {
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> >>",
    "<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
    "<< /Length 55 >>\nstream\nBT /F1 12 Tf 72 700 Td (The vault opens at noon.) Tj ET\nendstream",
  ];
  let file = "%PDF-1.4\n";
  let index = "0000000000 65535 f \n";
  for (const [at, object] of objects.entries()) {
    index += `${String(file.length).padStart(10, "0")} 00000 n \n`;
    file += `${at + 1} 0 obj\n${object}\nendobj\n`;
  }
  const start = file.length;
  const trailer = `trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`;
  // A web page behind the PDF, for a browser that looks at the bytes.
  return Buffer.from(`${file}xref\n0 6\n${index}${trailer}${HTML}`);
}

const STORED = [
  { name: "page.html", bytes: HTML, type: "text/html" },
  { name: "page.md", bytes: MARKDOWN, type: "text/markdown; charset=utf-8" },
  { name: "both.pdf", bytes: pdf(), type: "application/pdf" },
];

let server: Server;
let browser: Browser;
let api: Api;
let assistant: Assistant;
let desk: Desk;
let page: Page;
/** What a file did that it must not. */
let acted: string[];
let files: Map<string, KnowledgeFile>;

const address = (name: string) => `${server.address}/api/v1/files/${files.get(name)?.id}/content`;

beforeAll(async () => {
  server = await startServer({ people: [administrator] });
  api = await server.signIn(ADMIN);
  assistant = await api.createAssistant("Librarian");
  files = new Map();
  for (const { name, bytes } of STORED) files.set(name, await api.upload(assistant, bytes, name));
  browser = await launchBrowser();
  desk = await openDesk(browser, server);
  page = desk.page;
  acted = [];
  // A request that the policy stops is announced, but nobody answers it.
  desk.context.on("response", (response) => {
    if (response.url().includes("/acted")) acted.push(response.url());
  });
  desk.context.on("dialog", (dialog) => {
    acted.push(dialog.message());
    void dialog.dismiss();
  });
  await arrive(page, ADMIN);
});
afterEach(() => expect(acted).toEqual([]));
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** Another tab of the person who is signed in, whose requests carry the token that the app's own would carry. */
async function tab(): Promise<Page> {
  const { access_token } = await api.call<{ access_token: string }>(
    "POST",
    "/users/login",
    JSON.stringify({ email: ADMIN, password: PASSWORD }),
  );
  const opened = await desk.context.newPage();
  await opened.setExtraHTTPHeaders({ Authorization: `Bearer ${access_token}` });
  return opened;
}

describe("S-39 stored files", () => {
  it("are read and stay what they were", () => {
    for (const { name } of STORED) expect([name, files.get(name)?.status]).toEqual([name, "ready"]);
  });

  it("are not handed out to an address that was merely opened: the session's cookie does not open them", async () => {
    const opened = await desk.context.newPage();
    for (const { name } of STORED) {
      const answer = await opened.goto(address(name));
      expect([answer?.status(), await answer?.headerValue("content-type")]).toEqual([401, "application/json"]);
    }
    await opened.close();
    desk.expectNoComplaints(/status of 401 .*\/content$/);
  });

  it.each(STORED)("$name is saved and not shown where it is opened with the token", async ({ name, bytes }) => {
    const opened = await tab();
    const saved = opened.waitForEvent("download");
    await expect(opened.goto(address(name))).rejects.toThrow(/Download is starting/);
    const download = await saved;
    expect(download.suggestedFilename()).toBe(name);
    expect(readFileSync(await download.path()).equals(bytes)).toBe(true);
    expect([opened.url(), await opened.title()]).toEqual(["about:blank", ""]);
    await opened.close();
  });

  it.each(STORED)("$name does nothing even in a browser that shows what it should save", async ({ name, type }) => {
    const opened = await tab();
    await opened.route(address(name), async (route) => {
      const answer = await route.fetch();
      const { "content-disposition": disposition, ...headers } = answer.headers();
      expect(disposition).toMatch(/^attachment; /);
      expect(headers).toMatchObject({
        "content-type": type,
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
      });
      // Markdown and PDF are taken for a web page here, as a browser would that ignores the type.
      await route.fulfill({ response: answer, headers: { ...headers, "content-type": "text/html; charset=utf-8" } });
    });
    await opened.goto(address(name));
    // It is shown: its words are there, and its scripts are not run in an origin that is nobody's.
    await opened.getByText("The vault").first().waitFor();
    expect(await opened.title()).not.toBe("acted");
    expect(await opened.evaluate(() => self.origin)).toBe("null");
    await opened.close();
    // The browser says of each script and picture that it was refused.
    desk.expectNoComplaints(/Blocked script execution|violates the following Content Security Policy/);
  });

  it("would act without the policy, which shows that this would be noticed", async () => {
    const opened = await tab();
    await opened.route(address("page.html"), (route) => route.fulfill({ contentType: "text/html", body: HTML }));
    await opened.goto(address("page.html"));
    await expect.poll(() => opened.title()).toBe("acted");
    await expect.poll(() => acted).toEqual(expect.arrayContaining(["1", `${server.address}/acted`]));
    await opened.close();
    acted.splice(0);
    desk.expectNoComplaints(/acted/);
  });

  it("are saved from the app under their name", async () => {
    await page.goto(`/assistants/${assistant.id}?tab=files`);
    for (const { name, bytes } of STORED) {
      await page.getByRole("button", { name: `Actions for ${name}` }).click();
      const saved = page.waitForEvent("download");
      await page.getByRole("menuitem", { name: "Download" }).click();
      const download = await saved;
      expect(download.suggestedFilename()).toBe(name);
      expect(readFileSync(await download.path()).equals(bytes)).toBe(true);
    }
    desk.expectNoComplaints();
  });

  it.each([
    { name: "page.html", markup: '<img src=x onerror="' },
    { name: "page.md", markup: `<script>${ACT}</script><img src="/acted"` },
  ])("the passages of $name show its markup as words", async ({ name, markup }) => {
    await page.goto(`/assistants/${assistant.id}?tab=files`);
    await page.getByRole("button", { name: `Actions for ${name}` }).click();
    await page.getByRole("menuitem", { name: "Show passages" }).click();
    const sheet = page.getByRole("dialog", { name: `Passages of ${name}` });
    const passage = sheet.getByRole("listitem").filter({ hasText: markup });
    await passage.waitFor();
    expect(await passage.locator("script, img, iframe, [onerror], [onload]").count()).toBe(0);
    await passage.getByRole("button", { name: /^Open in its place/ }).click();
    const dialog = page.getByRole("dialog", { name, exact: true });
    await dialog.getByText(markup).first().waitFor();
    expect(await dialog.locator("script, img, iframe, [onerror], [onload]").count()).toBe(0);
    expect(await page.title()).not.toBe("acted");
    desk.expectNoComplaints();
  });
});
