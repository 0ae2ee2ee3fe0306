// Fails when a page makes people load more than the budget: the static imports of each route, gzip -9, before first paint.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { gzipSync } from "node:zlib";

const DIST = new URL("../dist/", import.meta.url).pathname;
const KB = 1000;

/** Pages and what their JavaScript may weigh in kB, entry included. */
const CHAT_WORDS = "src/i18n/chat.en.ts";
const ROUTES = [
  { name: "sign-in", files: ["src/app/pages/login.tsx"], limit: 150 },
  { name: "set-up", files: ["src/app/pages/setup.tsx"], limit: 215 },
  { name: "dashboard", files: ["src/app/shell.tsx", CHAT_WORDS, "src/app/pages/dashboard.tsx"], limit: 215 },
  { name: "assistant", files: ["src/app/shell.tsx", CHAT_WORDS, "src/app/pages/assistant.tsx"], limit: 215 },
  ...["dashboard", "users", "api-keys", "providers", "queue", "usage", "settings", "audit"].map((page) => ({
    name: `admin, ${page}`,
    files: [
      "src/app/shell.tsx",
      ...["chat", "admin", "governance", "usage"].map((words) => `src/i18n/${words}.en.ts`),
      "src/app/pages/admin-layout.tsx",
      `src/app/pages/admin-${page}.tsx`,
    ],
    limit: 215,
  })),
  { name: "chat", files: ["src/app/shell.tsx", CHAT_WORDS, "src/app/pages/chat.tsx"], limit: 240 },
];
const CSS_LIMIT = 25;
const FONT_LIMITS = [
  { name: "fonts, Latin", match: /-latin-wght-normal-.*\.woff2$/, limit: 70 },
  { name: "fonts, Hebrew", match: /-hebrew-wght-normal-.*\.woff2$/, limit: 30 },
];
const LAZY = [{ name: "highlighter", match: /highlight/i, limit: 25 }];
/** Too heavy for what they would do here. */
const FORBIDDEN = ["mermaid", "shiki", "katex", "moment", "lodash"];

if (!existsSync(`${DIST}.vite/manifest.json`)) {
  console.error("No build found. Run `npm run build` first.");
  process.exit(1);
}
const manifest = JSON.parse(readFileSync(`${DIST}.vite/manifest.json`, "utf8"));
const weight = (file) => gzipSync(readFileSync(DIST + file), { level: 9 }).length / KB;

/** The chunks a page needs before it can paint. */
function closure(keys) {
  const seen = new Set();
  const visit = (key) => {
    if (seen.has(key)) return;
    seen.add(key);
    if (manifest[key] === undefined) throw new Error(`${key} is not in the build: has the page moved?`);
    for (const next of manifest[key].imports ?? []) visit(next);
  };
  for (const key of keys) visit(key);
  return [...seen];
}

const results = [];
for (const { name, files, limit } of ROUTES) {
  const chunks = closure(["index.html", ...files]);
  const scripts = new Set(chunks.map((key) => manifest[key].file).filter((file) => file.endsWith(".js")));
  results.push({ name: `JS ${name}`, kB: [...scripts].reduce((sum, file) => sum + weight(file), 0), limit });
}
const assets = readdirSync(`${DIST}assets`);
const sum = (match, measure) => assets.filter((file) => match.test(file)).reduce((all, file) => all + measure(file), 0);
results.push({ name: "CSS, all", kB: sum(/\.css$/, (file) => weight(`assets/${file}`)), limit: CSS_LIMIT });
for (const { name, match, limit } of FONT_LIMITS) {
  results.push({ name, kB: sum(match, (file) => statSync(`${DIST}assets/${file}`).size / KB), limit });
}
for (const { name, match, limit } of LAZY) {
  for (const chunk of Object.values(manifest)) {
    if (chunk.isDynamicEntry && match.test(chunk.src ?? "")) {
      results.push({ name: `JS lazy ${name}`, kB: weight(chunk.file), limit });
    }
  }
}

let failed = false;
for (const { name, kB, limit } of results) {
  const over = kB > limit;
  failed ||= over;
  console.log(`${over ? "OVER" : "ok  "}  ${name.padEnd(20)} ${kB.toFixed(1).padStart(6)} of ${limit} kB`);
}
const lock = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"));
for (const [path, entry] of Object.entries(lock.packages)) {
  const name = path.split("node_modules/").at(-1);
  if (!entry.dev && FORBIDDEN.includes(name)) {
    failed = true;
    console.log(`OVER  ${name} must not be among the production packages.`);
  }
}
process.exit(failed ? 1 : 0);
