// Serves the built app as the product does (nonce, content security policy) with a small fixed installation behind it,
// so that looks, accessibility and policy can be judged page by page. Journeys against the real server are tests of their own.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Assistant, Conversation, KnowledgeFile, User } from "../src/api/types";
import { aConversation, aFile, aModel, anAssistant, aTokenPair, aUser } from "../src/testing/factories";

const DIST = join(import.meta.dirname, "../dist");
const TYPES: Record<string, string> = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

export type Mode = "data" | "empty" | "failing" | "fresh" | "visitor";

export const assistants: Assistant[] = [
  anAssistant({ file_count: 4, instructions: "Write plainly.\n\nכשהלקוח ישראלי, כתוב בעברית." }),
  anAssistant({
    name: "Media Lister",
    description: "Builds outlet lists for a story: who covers it and who just did.",
  }),
  anAssistant({ name: "מתרגם עברית־אנגלית", description: "תרגום הודעות לעיתונות, בשני הכיוונים." }),
];
const files: KnowledgeFile[] = [
  aFile({ filename: "brief v3.pdf" }),
  aFile({ filename: "הנחיות מותג 2025.docx", status: "indexing", progress: 62, chunk_count: 0 }),
  aFile({ filename: "scan.pdf", status: "error", chunk_count: 0, error_message: "The file is encrypted." }),
  aFile({ filename: `${"a very long name about the autumn launch ".repeat(3)}.pdf`, chunk_count: 210 }),
];
const conversations: Conversation[] = [
  aConversation({ title: "Q3 launch pitch" }),
  aConversation({ title: "הודעה לעיתונות — גרסה שנייה" }),
];

export interface Upload {
  readonly assistantFirst: boolean;
  readonly text: string;
}

export interface Site {
  readonly address: string;
  mode: Mode;
  user: User;
  /** What was uploaded, as it came over the wire. */
  readonly uploads: Upload[];
  close(): Promise<void>;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

/** Status and body, by path, of the installation in its present mode. */
function answer(site: Site, path: string): [status: number, body: unknown] {
  const empty = site.mode === "empty";
  if (path === "/setup") return [200, { needed: site.mode === "fresh" }];
  if (path === "/users/refresh") {
    const known = site.mode !== "visitor" && site.mode !== "fresh";
    return known
      ? [200, aTokenPair(site.user)]
      : [401, { error: "AuthenticationError", message: "Not signed in.", request_id: "r-1" }];
  }
  if (site.mode === "failing") return [500, { error: "InternalError", message: "A fault.", request_id: "r-2" }];
  if (path === "/assistants") return [200, { assistants: empty ? [] : assistants, total: empty ? 0 : 3 }];
  if (path === "/files") return [200, { files: empty ? [] : files, total: empty ? 0 : files.length }];
  if (path === "/conversations") return [200, { conversations: empty ? [] : conversations, total: empty ? 0 : 2 }];
  if (path === "/models") return [200, { models: [aModel()], total: 1, stale: false, fetched_at: null }];
  if (path === "/settings") {
    return [200, { settings: { max_upload_mb: 25, allowed_file_types: ["pdf", "docx", "txt", "md"] }, total: 2 }];
  }
  const assistant = assistants.find((each) => path === `/assistants/${each.id}`);
  if (assistant) return [200, assistant];
  return [404, { error: "NotFoundError", message: "Not found.", request_id: "r-3" }];
}

export async function startSite(): Promise<Site> {
  if (!existsSync(join(DIST, "index.html"))) throw new Error("There is no build. Run `npm run build` first.");
  const index = readFileSync(join(DIST, "index.html"), "utf8");
  // Held in memory, so that a build running beside the tests cannot pull files from under them.
  const assets = new Map(
    readdirSync(DIST, { recursive: true, encoding: "utf8" })
      .filter((name) => extname(name) in TYPES)
      .map((name) => [`/${name}`, readFileSync(join(DIST, name))]),
  );
  const nonce = "e2e-nonce";
  const policy = `default-src 'self'; script-src 'self' 'nonce-${nonce}'; style-src 'self' 'nonce-${nonce}'; img-src 'self' data: blob:`;
  const server: Server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname.startsWith("/api/v1/")) {
      const path = pathname.slice("/api/v1".length);
      if (request.method === "POST" && path === "/files") {
        const text = await bodyOf(request);
        site.uploads.push({ assistantFirst: text.indexOf('name="assistant_id"') < text.indexOf('name="file"'), text });
        response.writeHead(201, { "Content-Type": "application/json" }).end(JSON.stringify(aFile()));
        return;
      }
      const [status, body] = answer(site, path);
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
      return;
    }
    const type = TYPES[extname(pathname)];
    if (type !== undefined) {
      const asset = assets.get(pathname);
      response.writeHead(asset ? 200 : 404, { "Content-Type": type }).end(asset);
      return;
    }
    response
      .writeHead(200, { "Content-Type": "text/html", "Content-Security-Policy": policy })
      .end(index.replaceAll("__CSP_NONCE__", nonce));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const site: Site = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mode: "data",
    user: aUser({ role: "manager" }),
    uploads: [],
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return site;
}
