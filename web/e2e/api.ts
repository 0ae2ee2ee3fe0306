// The server's interface for programs: prepares what a journey starts from, and tells what was stored.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Assistant, Conversation, KnowledgeFile, Message, TokenPair } from "../src/api/types";

export class Api {
  private constructor(
    private readonly address: string,
    private readonly token: string,
  ) {}

  static async signIn(address: string, email: string, password: string): Promise<Api> {
    const anybody = new Api(address, "");
    const pair = await anybody.call<TokenPair>("POST", "/users/login", JSON.stringify({ email, password }));
    return new Api(address, pair.access_token);
  }

  async call<Body>(method: string, path: string, body?: string | FormData): Promise<Body> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.token}` };
    if (typeof body === "string") headers["Content-Type"] = "application/json";
    const response = await fetch(`${this.address}/api/v1${path}`, { method, headers, body: body ?? null });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as Body;
  }

  /** The status a call is answered with. */
  async status(method: string, path: string, body?: object): Promise<number> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const answer = await fetch(`${this.address}/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
    });
    return answer.status;
  }

  createAssistant(name: string, more: Partial<Assistant> = {}): Promise<Assistant> {
    return this.call("POST", "/assistants", JSON.stringify({ name, ...more }));
  }

  /** Sends a file and waits until it can be cited, or has failed. */
  async upload(
    assistant: Assistant,
    content: string | Buffer,
    name = basename(String(content)),
  ): Promise<KnowledgeFile> {
    const form = new FormData();
    form.append("assistant_id", assistant.id);
    const bytes = typeof content === "string" ? readFileSync(content) : content;
    form.append("file", new Blob([new Uint8Array(bytes)]), name);
    let file = await this.call<KnowledgeFile>("POST", "/files", form);
    while (file.status !== "ready" && file.status !== "error") {
      file = await this.call("GET", `/files/${file.id}`);
    }
    return file;
  }

  createConversation(assistant: Assistant): Promise<Conversation> {
    return this.call("POST", "/conversations", JSON.stringify({ assistant_id: assistant.id }));
  }

  /** Asks and waits for the whole answer. */
  async ask(conversation: Conversation, content: string): Promise<void> {
    await this.call("POST", `/conversations/${conversation.id}/messages`, JSON.stringify({ content, stream: false }));
  }

  async messages(conversationId: string): Promise<Message[]> {
    const page = await this.call<{ messages: Message[] }>("GET", `/conversations/${conversationId}/messages`);
    return page.messages;
  }

  /** The last message as it is stored. */
  async lastMessage(conversationId: string): Promise<Message> {
    const last = (await this.messages(conversationId)).at(-1);
    if (last === undefined) throw new Error("The conversation is empty.");
    return last;
  }
}
