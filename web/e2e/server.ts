// Starts the real binaries for a journey: the server on a data directory of its own, and the scripted vendor behind it.
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Api } from "./api";

export const PASSWORD = "correct horse battery";
export const ADMIN = "admin@example.com";

const ROOT = resolve(import.meta.dirname, "../..");
const SERVER = process.env.AI_ACROSS_BIN ?? join(ROOT, "target/debug/ai-across");
const VENDOR = process.env.SCRIPTED_VENDOR_BIN ?? join(ROOT, "target/debug/scripted-vendor");

/** A document of the collection the extractor is tested with. */
export function corpus(name: string): string {
  return join(ROOT, "crates/extract/tests/corpus", name);
}

export interface Person {
  readonly email: string;
  readonly name: string;
  readonly role: "admin" | "manager" | "user";
}

interface Options {
  /** Who has an account before the server starts; nobody means that it has to be set up. */
  readonly people?: readonly Person[];
  /**
   * Whether the models are the scripted vendor's; else the server answers from files alone. `"unknown"`: it runs, but
   * somebody has to tell the server of it.
   */
  readonly vendor?: boolean | "unknown";
  /** Further settings of the process. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Server {
  readonly address: string;
  /** The link the server prints while it has no users. */
  readonly setupLink: string;
  /** Where the scripted vendor answers; empty where there is none. */
  readonly vendorAddress: string;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again on the same data and port. */
  restart(): Promise<void>;
  /** Somebody with an account, who talks to the server without a browser. */
  signIn(email: string, password?: string): Promise<Api>;
  /** Ends everything and removes the data. */
  close(): Promise<void>;
}

export const administrator: Person = { email: ADMIN, name: "Dana Levi", role: "admin" };

export async function startServer({
  people = [],
  vendor = false,
  environment: more = {},
}: Options = {}): Promise<Server> {
  const work = mkdtempSync(join(tmpdir(), "ai-across-e2e-"));
  const log = join(work, "server.log");
  // Nothing of this process's own environment is passed on: every run starts from the same settings.
  // Journeys ask faster than people do.
  const environment: Record<string, string> = {
    AI_ACROSS_DATA_DIR: join(work, "data"),
    AI_ACROSS_RATE_PER_USER: "0",
    AI_ACROSS_RATE_PER_ADDRESS: "0",
    ...more,
  };
  for (const person of people) await addUser(environment, person);
  const scripted = vendor !== false ? await launch(VENDOR, [], {}, log, ["listening on "]) : null;
  const vendorAddress = scripted?.said[0] ?? "";
  if (vendor === true) {
    environment.AI_ACROSS_OPENAI_BASE_URL = vendorAddress;
    environment.OPENAI_API_KEY = "sk-scripted-0123456789";
    environment.AI_ACROSS_EMBEDDING_MODEL = "local";
  }
  const expected = people.length === 0 ? ["listening on ", "set up at "] : ["listening on "];
  const start = (listen: string, lines: readonly string[]) =>
    launch(SERVER, ["serve"], { ...environment, AI_ACROSS_LISTEN: listen }, log, lines);
  let running = await start("127.0.0.1:0", expected);
  const [address = "", setupLink = ""] = running.said;
  return {
    address,
    setupLink,
    vendorAddress,
    kill: () => end(running.child),
    restart: async () => {
      running = await start(new URL(address).host, ["listening on "]);
    },
    signIn: (email, password = PASSWORD) => Api.signIn(address, email, password),
    close: async () => {
      await end(running.child);
      if (scripted !== null) await end(scripted.child);
      rmSync(work, { recursive: true, force: true });
    },
  };
}

interface Running {
  readonly child: ChildProcess;
  /** What followed each of the expected beginnings. */
  readonly said: readonly string[];
}

/** Starts a program and waits until it has printed a line with each of these beginnings, in this order. */
async function launch(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
  log: string,
  beginnings: readonly string[],
): Promise<Running> {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  child.stderr.pipe(createWriteStream(log, { flags: "a" }));
  const said: string[] = [];
  const listen = async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const beginning = beginnings[said.length] ?? "";
      if (line.startsWith(beginning)) said.push(line.slice(beginning.length));
      if (said.length === beginnings.length) break;
    }
    if (said.length < beginnings.length) throw new Error(`${program} did not start.\n${readFileSync(log, "utf8")}`);
  };
  await Promise.race([listen(), failed]);
  // What it prints from now on is not read, but must not fill the pipe.
  child.stdout.resume();
  return { child, said };
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else {
      child.once("exit", () => resolve());
      child.kill("SIGKILL");
    }
  });
}

/** Adds an account with the product's own command. */
function addUser(env: Record<string, string>, { email, name, role }: Person): Promise<void> {
  const args = ["user", "add", "--email", email, "--name", name, "--role", role];
  const child = spawn(SERVER, args, { env, stdio: ["pipe", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (part: Buffer) => {
    complaint += part.toString();
  });
  child.stdin.end(`${PASSWORD}\n`);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`${email} was not added: ${complaint}`))));
  });
}
