// What an answer leaves behind is the server's word, and so is what other devices do (ui rules R6, R13).
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { beforeEach, describe, expect, it } from "vitest";
import { aStream, chunk, withLayout } from "@/testing/chat";
import { aModel, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { server, url } from "@/testing/server";
import { Tree } from "@/testing/tree";

withLayout();

const mini = aModel({ id: "openai/mini", name: "Mini", provider: "openai", is_default: false });
const field = () => screen.findByRole<HTMLTextAreaElement>("textbox", { name: /^Message/ });
const article = (words: string) => {
  const found = screen.getAllByRole("article").find((each) => each.textContent?.includes(words));
  if (found === undefined) throw new Error(`Nothing says “${words}”.`);
  return found;
};

let tree: Tree;
beforeEach(() => {
  tree = new Tree();
  server.use(
    http.get(url("/models"), () =>
      HttpResponse.json({ models: [aModel(), mini], total: 2, stale: false, fetched_at: null }),
    ),
  );
});

function openChat() {
  tree.serve();
  return open(`/chat/${tree.conversation.id}`, aUser());
}

/** The last request for an answer, once the server has it. */
async function asked(count: number) {
  await waitFor(() => expect(tree.asked).toHaveLength(count));
  const last = tree.asked.at(-1);
  if (last === undefined) throw new Error("Nothing was asked.");
  return last;
}

describe("B11 what an answer leaves behind", () => {
  it("is the server's word: who wrote it instead of whom, at what price, and a title for the chat", async () => {
    tree = new Tree({ title: "" });
    const { person } = openChat();
    await person.type(await field(), "Draft a pitch.{Enter}");
    const first = await asked(1);
    const failover = { from: "anthropic", to: "openrouter", reason: "overloaded", extra_cost_percent: 12 };
    first.stream.say({ type: "notice", code: "failover", ...failover }, chunk("Chain"));
    tree.conversation = { ...tree.conversation, title: "Launch pitch", cost_usd: 0.02 };
    first.stream.say({ type: "title", title: "Launch pitch" });
    expect(await screen.findByRole("heading", { level: 1, name: "Launch pitch" })).toBeInTheDocument();
    tree.end(first, "Chainlab opens.", { failover });
    const words = "Anthropic did not answer, so OpenRouter wrote this. Anthropic is overloaded. This costs 12 % more.";
    expect(await screen.findByText(words)).toBeInTheDocument();
    expect(await screen.findByText("Cost of this chat: $0.02")).toBeInTheDocument();
    await person.click(within(article("Draft a pitch.")).getByRole("button", { name: "Edit" }));
    await screen.findByRole("textbox", { name: "Message" });
  });

  it("keeps notice and price after a reload, and says when the price is an estimate", async () => {
    const tokens_used = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2, estimated: true };
    const failover = { from: "openai", to: "openrouter", reason: "auth", extra_cost_percent: null };
    tree.exchange("Draft a pitch.", "Chainlab opens.", { failover, cost_usd: 0.5, tokens_used });
    openChat();
    expect(
      await screen.findByText("OpenAI did not answer, so OpenRouter wrote this. The key of OpenAI was refused."),
    ).toBeInTheDocument();
    expect(screen.getByText("about $0.50")).toBeInTheDocument();
  });

  it("B10 keeps the price when the line broke and the end was read from the server", async () => {
    const { person } = openChat();
    await person.type(await field(), "Draft a pitch.{Enter}");
    const first = await asked(1);
    first.stream.say(chunk("Chain"));
    await screen.findByText("Chain");
    tree.change(first.answer.id, { content: "Chainlab.", status: "complete", cost_usd: 0.03 });
    first.stream.fail();
    expect(await screen.findByText("Chainlab.", {}, { timeout: 4000 })).toBeInTheDocument();
    expect(await screen.findByText("$0.03")).toBeInTheDocument();
  });

  it("a title is suggested from the chat's menu", async () => {
    tree.exchange("Draft a pitch.", "Chainlab opens.");
    const { person } = openChat();
    server.use(
      http.post(url(`/conversations/${tree.conversation.id}/title`), () => {
        tree.conversation = { ...tree.conversation, title: "Mainnet pitch" };
        return HttpResponse.json(tree.conversation);
      }),
    );
    await person.click(await screen.findByRole("button", { name: "Actions for this chat" }));
    await person.click(await screen.findByRole("menuitem", { name: "Suggest a title" }));
    expect(await screen.findByRole("heading", { level: 1, name: "Mainnet pitch" })).toBeInTheDocument();
  });
});

describe("R6 R13 what comes from elsewhere", () => {
  it("an answer that another device asked for shows up and is joined", async () => {
    tree.exchange("Draft a pitch.", "Chainlab opens.");
    openChat();
    await screen.findByText("Chainlab opens.");
    const { answer } = tree.exchange("From my phone.", "Wri", { status: "streaming", finish_reason: null });
    const stream = aStream();
    server.use(
      http.get(url(`/conversations/${tree.conversation.id}/messages/${answer.id}/stream`), () => stream.response()),
    );
    expect(await screen.findByText("From my phone.", {}, { timeout: 7000 })).toBeInTheDocument();
    expect(await screen.findByRole("button", { name: "Stop" })).toBeInTheDocument();
    stream.say(chunk("Written there."));
    tree.end({ ...TREELESS, answer, stream }, "Written there.");
    expect(await screen.findByText("Written there.")).toBeInTheDocument();
    expect(await screen.findByRole("button", { name: "Send" })).toBeInTheDocument();
  });

  it("a link to a message of another version makes that version the shown one", async () => {
    const { question, answer } = tree.exchange("Draft a pitch.", "The old version.");
    tree.add({ role: "assistant", parent_id: question.id, content: "The new version." });
    tree.serve();
    open(`/chat/${tree.conversation.id}?m=${answer.id}`, aUser());
    expect(await screen.findByText("The old version.")).toBeInTheDocument();
    expect(screen.queryByText("The new version.")).toBeNull();
    expect(await screen.findByText("Version 1 of 2")).toBeInTheDocument();
  });
});

const TREELESS = { path: "", body: {}, key: null, question: null } as const;
