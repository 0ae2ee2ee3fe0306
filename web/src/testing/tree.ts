// A conversation kept as a tree, as the server keeps it: what the tests of versions, forks and continuations talk to.
import { HttpResponse, http } from "msw";
import type { StreamEvent } from "@/api/sse";
import type { Conversation, Message } from "@/api/types";
import { aStream, assistant } from "./chat";
import { aConversation, aMessage, uuid } from "./factories";
import { refuse, server, url } from "./server";

type Stream = ReturnType<typeof aStream>;

/** A request that began an answer, with the stream the test writes it to. */
export interface Asked {
  readonly path: string;
  readonly body: { content?: string; model?: string };
  readonly key: string | null;
  readonly question: Message | null;
  readonly answer: Message;
  readonly stream: Stream;
}

export class Tree {
  conversation: Conversation;
  readonly all: Message[] = [];
  readonly asked: Asked[] = [];
  head: string | null = null;

  constructor(fields: Partial<Conversation> = {}) {
    this.conversation = aConversation({ assistant_id: assistant.id, ...fields });
  }

  /** A finished exchange at the end of the active path. */
  exchange(question: string, answer: string, fields: Partial<Message> = {}): { question: Message; answer: Message } {
    const asked = this.add({ content: question, parent_id: this.head });
    const answered = this.add({
      role: "assistant",
      content: answer,
      parent_id: asked.id,
      model: "anthropic/claude-sonnet",
      provider: "anthropic",
      finish_reason: "stop",
      ...fields,
    });
    return { question: asked, answer: answered };
  }

  add(fields: Partial<Message>): Message {
    const message = aMessage({ conversation_id: this.conversation.id, seq: this.all.length + 1, ...fields });
    this.all.push(message);
    this.head = message.id;
    return message;
  }

  change(id: string, fields: Partial<Message>): void {
    const place = this.all.findIndex((message) => message.id === id);
    const message = this.all[place];
    if (message !== undefined) this.all[place] = { ...message, ...fields };
  }

  /** As the server would tell it: with its place among its versions. */
  told(message: Message): Message {
    const versions = this.all.filter(({ parent_id }) => parent_id === message.parent_id);
    return {
      ...message,
      sibling_index: versions.findIndex(({ id }) => id === message.id),
      sibling_count: versions.length,
    };
  }

  path(end = this.head): Message[] {
    const way: Message[] = [];
    for (let at = this.find(end); at !== undefined; at = this.find(at.parent_id)) way.unshift(this.told(at));
    return way;
  }

  find(id: string | null | undefined): Message | undefined {
    return this.all.find((message) => message.id === id);
  }

  /** Ends the answer as the server does: stored first, then told. */
  end(asked: Asked, content: string, fields: Partial<Message> = {}): void {
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, estimated: false };
    this.change(asked.answer.id, {
      content,
      status: "complete",
      finish_reason: "stop",
      provider: "anthropic",
      tokens_used: usage,
      cost_usd: 0.02,
      ...fields,
    });
    const status = this.find(asked.answer.id)?.status;
    const done: StreamEvent = {
      type: "done",
      message_id: asked.answer.id,
      finish_reason: status === "stopped" ? "stopped" : (fields.finish_reason ?? "stop"),
      usage: { ...usage, cost_usd: 0.02 },
    };
    asked.stream.say(done);
    asked.stream.close();
  }

  /** Answers for this conversation from now on. */
  serve(): void {
    const { id } = this.conversation;
    const at = `/conversations/${id}`;
    const now = () => ({ ...this.conversation, head_message_id: this.head });
    server.use(
      http.get(url("/assistants"), () => HttpResponse.json({ assistants: [assistant], total: 1 })),
      http.get(url(at), () => HttpResponse.json(now())),
      http.get(url(`${at}/messages`), ({ request }) => {
        const query = new URL(request.url).searchParams;
        const found =
          query.get("all_branches") === "true" ? this.all.map((message) => this.told(message)) : this.path();
        if (query.get("order") === "desc") found.reverse();
        const offset = Number(query.get("offset") ?? 0);
        const messages = found.slice(offset, offset + Number(query.get("limit") ?? 50));
        return HttpResponse.json({ messages, total: found.length });
      }),
      http.get(url(`${at}/messages/:message`), ({ params }) => {
        const found = this.find(`${params.message}`);
        return found === undefined ? refuse(404, { error: "NotFoundError" }) : HttpResponse.json(this.told(found));
      }),
      http.patch(url(`${at}/messages/:message`), async ({ params, request }) => {
        const { content } = (await request.json()) as { content: string };
        this.change(`${params.message}`, { content, edited_at: "2025-10-01T13:00:00.000Z" });
        return HttpResponse.json(this.told(this.find(`${params.message}`) ?? aMessage()));
      }),
      http.put(url(`${at}/head`), async ({ request }) => {
        const { message_id } = (await request.json()) as { message_id: string };
        this.head = this.newestBelow(message_id);
        return HttpResponse.json(now());
      }),
      http.post(url(`${at}/messages`), ({ request }) => this.ask("messages", request, this.head)),
      http.post(url(`${at}/messages/:message/:how`), ({ params, request }) => {
        const target = this.find(`${params.message}`);
        const how = `${params.how}`;
        if (target === undefined) return refuse(404, { error: "NotFoundError" });
        if (how === "edit") return this.ask(how, request, target.parent_id);
        return this.ask(how, request, target.role === "user" ? target.id : target.parent_id, target);
      }),
    );
  }

  private newestBelow(id: string): string {
    const below = this.all.filter((message) => message.parent_id === id).at(-1);
    return below === undefined ? id : this.newestBelow(below.id);
  }

  private async ask(path: string, request: Request, parent: string | null, target?: Message) {
    const body = (await request.json()) as Asked["body"];
    const question = body.content === undefined ? null : this.add({ content: body.content, parent_id: parent });
    const made = {
      role: "assistant",
      content: "",
      status: "streaming",
      parent_id: question?.id ?? parent,
      model: body.model ?? "anthropic/claude-sonnet",
    } as const;
    const goesOn = path === "continue" && target !== undefined;
    if (goesOn) this.change(target.id, { status: "streaming" });
    const answer = goesOn ? target : this.add({ id: uuid(), ...made });
    const stream = aStream();
    stream.say({
      type: "start",
      message_id: answer.id,
      user_message_id: answer.parent_id,
      conversation_id: this.conversation.id,
      model: body.model ?? answer.model,
    });
    if (goesOn) stream.say({ type: "chunk", content: answer.content });
    this.asked.push({ path, body, key: request.headers.get("Idempotency-Key"), question, answer, stream });
    return stream.response();
  }
}
