// The tree as a person uses it: other words, other answers, going on, moving between versions (ui rules R12, R20–R23).
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { beforeEach, describe, expect, it } from "vitest";
import { useUi } from "@/lib/ui-store";
import { aCitation, aStream, chunk, withLayout } from "@/testing/chat";
import { aModel, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";
import { Tree } from "@/testing/tree";

withLayout();

const mini = aModel({ id: "openai/mini", name: "Mini", provider: "openai", is_default: false });
const field = () => screen.findByRole<HTMLTextAreaElement>("textbox", { name: /^Message/ });
/** The texts of the transcript, as one reads them from top to bottom. */
const told = () => screen.getAllByRole("article").map((article) => article.textContent ?? "");
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

describe("R20 editing a question", () => {
  it("asks in other words; what stood below gives way at once, and both versions are kept", async () => {
    tree.exchange("Draft a pitch.", "Chainlab opens.");
    tree.exchange("Shorter.", "Chainlab.");
    const { person } = openChat();
    await screen.findByText("Chainlab.");
    await person.click(within(article("Draft a pitch.")).getByRole("button", { name: "Edit" }));
    const text = await screen.findByRole("textbox", { name: "Message" });
    expect(text).toHaveValue("Draft a pitch.");
    await person.clear(text);
    await person.type(text, "Draft a letter.{Control>}{Enter}{/Control}");
    expect(await screen.findByText("Draft a letter.")).toBeInTheDocument();
    expect(screen.queryByText("Draft a pitch.")).toBeNull();
    expect(screen.queryByText("Chainlab.")).toBeNull();
    const edit = await asked(1);
    expect(edit).toMatchObject({ path: "edit", body: { content: "Draft a letter." } });
    expect(edit.key).toMatch(/^[0-9a-f-]{36}$/);
    edit.stream.say(chunk("Dear "));
    expect(await screen.findByText("Dear")).toBeInTheDocument();
    tree.end(edit, "Dear editor.");
    // What the stream did not tell comes from the server.
    expect(await screen.findByText("Dear editor.")).toBeInTheDocument();
    expect(await screen.findByText("Version 2 of 2")).toBeInTheDocument();
    expect(told()).toHaveLength(2);
  });

  it("opens by ArrowUp in an empty composer and by E outside of it, and asks before it drops what was changed", async () => {
    tree.exchange("Draft a pitch.", "Chainlab opens.");
    const { person } = openChat();
    await screen.findByText("Chainlab opens.");
    await person.click(await field());
    await person.keyboard("{ArrowUp}");
    const text = await screen.findByRole("textbox", { name: "Message" });
    await person.keyboard("{Escape}");
    await waitFor(() => expect(text).not.toBeInTheDocument());
    fireEvent.keyDown(document.body, { code: "KeyE", key: "e" });
    await person.type(await screen.findByRole("textbox", { name: "Message" }), " Now.");
    await person.keyboard("{Escape}");
    expect(await screen.findByRole("alertdialog", { name: "Discard your changes?" })).toBeInTheDocument();
    await person.click(screen.getByRole("button", { name: "Keep editing" }));
    expect(await screen.findByRole("textbox", { name: "Message" })).toHaveValue("Draft a pitch. Now.");
    expect(tree.asked).toEqual([]);
  });

  it("single letters do nothing for whoever has turned them off", async () => {
    tree.exchange("Draft a pitch.", "Chainlab opens.");
    useUi.setState({ singleKeys: false });
    openChat();
    await screen.findByText("Chainlab opens.");
    fireEvent.keyDown(document.body, { code: "KeyE", key: "e" });
    fireEvent.keyDown(document.body, { code: "KeyM", key: "m" });
    await field();
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("R19 a refused edit gives the old messages back and opens again with the new words and the reason", async () => {
    tree.exchange("Draft a pitch.", "Chainlab opens.");
    const { person } = openChat();
    await screen.findByText("Chainlab opens.");
    server.use(
      http.post(url(`/conversations/${tree.conversation.id}/messages/:message/edit`), () =>
        refuse(503, { error: "ServiceUnavailableError", message: "Try again soon." }, { "Retry-After": "5" }),
      ),
    );
    await person.click(screen.getByRole("button", { name: "Edit" }));
    await person.type(await screen.findByRole("textbox", { name: "Message" }), " Now.");
    await person.click(screen.getByRole("button", { name: "Save & resend" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("Try again soon.");
    expect(screen.getByRole("textbox", { name: "Message" })).toHaveValue("Draft a pitch. Now.");
    expect(screen.getByText("Chainlab opens.")).toBeInTheDocument();
    expect(screen.queryByDisplayValue("Draft a pitch.")).toBeNull();
  });
});

describe("R22 trying again", () => {
  it("makes another version of the answer, and the arrows lead back to the first and its own continuation", async () => {
    tree.exchange("Draft a pitch.", "Chainlab opens.");
    tree.exchange("Shorter.", "Chainlab.");
    const { person } = openChat();
    await screen.findByText("Chainlab.");
    await person.click(within(article("Chainlab opens.")).getByRole("button", { name: "Try again" }));
    const again = await asked(1);
    expect(again).toMatchObject({ path: "regenerate", body: {} });
    await waitFor(() => expect(screen.queryByText("Chainlab opens.")).toBeNull());
    expect(screen.queryByText("Shorter.")).toBeNull();
    tree.end(again, "A second try.");
    await screen.findByText("A second try.");
    expect(await screen.findByText("Version 2 of 2")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Next version" })).toHaveAttribute("aria-disabled", "true");
    await person.click(screen.getByRole("button", { name: "Previous version" }));
    expect(await screen.findByText("Chainlab opens.")).toBeInTheDocument();
    expect(screen.getByText("Chainlab.")).toBeInTheDocument();
    expect(screen.queryByText("A second try.")).toBeNull();
    // The keyboard keeps its place, and what comes next builds on what is shown.
    expect(screen.getByRole("button", { name: "Previous version" })).toHaveFocus();
    expect(tree.path().map(({ content }) => content)).toEqual([
      "Draft a pitch.",
      "Chainlab opens.",
      "Shorter.",
      "Chainlab.",
    ]);
    await person.type(await field(), "On.{Enter}");
    expect((await asked(2)).question?.parent_id).toBe(tree.path().at(3)?.id);
  });

  it("by another model, chosen by keyboard alone", async () => {
    tree.exchange("Draft a pitch.", "Chainlab opens.");
    const { person } = openChat();
    await screen.findByText("Chainlab opens.");
    (await screen.findByRole("button", { name: "Try again with another model" })).focus();
    await person.keyboard("{Enter}");
    await screen.findByRole("listbox", { name: "Models" });
    await person.keyboard("mini{Enter}");
    expect((await asked(1)).body).toEqual({ model: "openai/mini", stream: true });
  });

  it("a lost request is looked for before it is repeated, and found", async () => {
    const { answer } = tree.exchange("Draft a pitch.", "Chainlab opens.");
    const { person } = openChat();
    await screen.findByText("Chainlab opens.");
    let posts = 0;
    server.use(
      http.post(url(`/conversations/${tree.conversation.id}/messages/${answer.id}/regenerate`), () => {
        posts += 1;
        tree.add({ role: "assistant", parent_id: answer.parent_id, content: "It arrived.", finish_reason: "stop" });
        return HttpResponse.error();
      }),
    );
    await person.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("It arrived.", {}, { timeout: 4000 })).toBeInTheDocument();
    expect(posts).toBe(1);
    expect(await screen.findByText("Version 2 of 2")).toBeInTheDocument();
  });
});

describe("R12 an answer that was cut short", () => {
  it.each(["stopped", "interrupted"] as const)("goes on in place when it was %s", async (status) => {
    tree.exchange("Draft a pitch.", "Chainlab", { status, finish_reason: null });
    const { person } = openChat();
    await person.click(await screen.findByRole("button", { name: "Continue" }));
    const more = await asked(1);
    expect(more.path).toBe("continue");
    more.stream.say(chunk(" opens"));
    expect(await screen.findByText("Chainlab opens")).toBeInTheDocument();
    expect(screen.queryByText("Stopped.")).toBeNull();
    tree.end(more, "Chainlab opens today.");
    expect(await screen.findByText("Chainlab opens today.")).toBeInTheDocument();
    expect(told()).toHaveLength(2);
    expect(await screen.findByText("$0.02")).toBeInTheDocument();
    expect(screen.queryByText(/^Version/)).toBeNull();
  });

  it("at the length limit goes on, too; an error offers another try and another model", async () => {
    tree.exchange("Draft a pitch.", "Chainlab", { finish_reason: "length" });
    const first = openChat();
    expect(await screen.findByText("Reached the length limit.")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Continue" })).toBeInTheDocument();
    first.unmount();
    tree = new Tree();
    const error = { error: "ProviderTimeoutError", message: "" };
    tree.exchange("Draft a pitch.", "", { status: "error", provider: "openai", error });
    const { person } = openChat();
    expect(await screen.findByText("OpenAI took too long.")).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Continue" })).toBeNull();
    await person.click(screen.getByRole("button", { name: "Try another model" }));
    await screen.findByRole("listbox", { name: "Models" });
    await person.keyboard("mini{Enter}");
    expect(await asked(1)).toMatchObject({ path: "regenerate", body: { model: "openai/mini" } });
  });

  it("after 45 s without a word it can be stopped, or written by another model", async () => {
    const created_at = new Date(Date.now() - 50_000).toISOString();
    const { answer } = tree.exchange("Draft a pitch.", "", { status: "streaming", finish_reason: null, created_at });
    const stream = aStream();
    const at = `/conversations/${tree.conversation.id}`;
    const { person } = openChat();
    server.use(
      http.get(url(`${at}/messages/${answer.id}/stream`), () => stream.response()),
      http.post(url(`${at}/stop`), () => {
        tree.change(answer.id, { status: "stopped", finish_reason: "stopped" });
        stream.say({ type: "done", message_id: answer.id, finish_reason: "stopped" });
        return HttpResponse.json({ stopped: true });
      }),
    );
    expect(await screen.findByText("The model is slow to answer.")).toBeInTheDocument();
    await person.click(await screen.findByRole("button", { name: "Try another model" }));
    await screen.findByRole("listbox", { name: "Models" });
    await person.keyboard("mini{Enter}");
    expect(await asked(1)).toMatchObject({ path: "regenerate", body: { model: "openai/mini" } });
    expect((await asked(1)).answer.parent_id).toBe(answer.parent_id);
  });

  it.each([
    ["admin", "No working provider key. Open API keys"],
    ["user", "No model is available right now. Your administrator has been shown why."],
  ] as const)("without any model a person with the role %s is told what to do", async (role, words) => {
    tree.exchange("Draft a pitch.", "Chainlab opens.");
    tree.serve();
    const { person } = open(`/chat/${tree.conversation.id}`, aUser({ role }));
    const message = "No model is available right now. Ask an administrator.";
    server.use(
      http.post(url(`/conversations/${tree.conversation.id}/messages`), () =>
        refuse(503, { error: "ServiceUnavailableError", message }),
      ),
    );
    await person.type(await field(), "Go.{Enter}");
    expect(await screen.findByRole("alert")).toHaveTextContent(words);
    expect(screen.queryAllByRole("link", { name: "Open API keys" })).toHaveLength(role === "admin" ? 1 : 0);
  });

  it("only the last one offers to go on", async () => {
    tree.exchange("Draft a pitch.", "Chainlab", { status: "stopped" });
    tree.exchange("And?", "Done.");
    openChat();
    expect(await screen.findByText("Stopped.")).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Continue" })).toBeNull();
  });

  it("refused while another one is written: the notice shows it", async () => {
    const { answer } = tree.exchange("Draft a pitch.", "Chainlab", { status: "stopped" });
    const { person } = openChat();
    await screen.findByText("Stopped.");
    const at = `/conversations/${tree.conversation.id}/messages/${answer.id}`;
    server.use(
      http.post(url(`${at}/continue`), () =>
        refuse(409, { error: "ConflictError", details: [{ message_id: answer.id }] }),
      ),
    );
    await person.click(screen.getByRole("button", { name: "Continue" }));
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("An answer is being written in this chat, maybe in another tab.");
    tree.change(answer.id, { content: "Chainlab opens.", status: "complete" });
    await person.click(within(alert).getByRole("button", { name: "Show it" }));
    expect(await screen.findByText("Chainlab opens.")).toBeInTheDocument();
    expect(screen.queryByRole("alert")).toBeNull();
  });
});

describe("R23 the other actions", () => {
  it("fork copies the chat up to a message and opens the copy", async () => {
    const { answer } = tree.exchange("Draft a pitch.", "Chainlab opens.");
    const copy = new Tree({ title: "The copy" });
    copy.exchange("Draft a pitch.", "Chainlab opens, copied.");
    const bodies: unknown[] = [];
    copy.serve();
    const { person, address } = openChat();
    server.use(
      http.post(url(`/conversations/${tree.conversation.id}/fork`), async ({ request }) => {
        bodies.push(await request.json());
        return HttpResponse.json(copy.conversation, { status: 201 });
      }),
    );
    await screen.findByText("Chainlab opens.");
    const menu = within(article("Chainlab opens.")).getByRole("button", { name: "More actions" });
    await person.click(menu);
    await person.click(await screen.findByRole("menuitem", { name: "Fork to a new chat" }));
    await waitFor(() => expect(address()).toBe(`/chat/${copy.conversation.id}`));
    expect(bodies).toEqual([{ message_id: answer.id }]);
    expect(await screen.findByText("Chainlab opens, copied.")).toBeInTheDocument();
  });

  it("a correction changes the words in place and asks nothing", async () => {
    tree.exchange("Draft a pitch.", "Chainlab opns.");
    const { person } = openChat();
    await screen.findByText("Chainlab opns.");
    await person.click(within(article("Chainlab opns.")).getByRole("button", { name: "More actions" }));
    await person.click(await screen.findByRole("menuitem", { name: "Correct the text…" }));
    const text = await screen.findByRole("textbox", { name: "Message" });
    await person.clear(text);
    await person.type(text, "Chainlab opens.");
    await person.click(screen.getByRole("button", { name: "Save" }));
    expect(await screen.findByText("Chainlab opens.")).toBeInTheDocument();
    expect(screen.getByText("· corrected")).toBeInTheDocument();
    expect(screen.queryByRole("dialog")).toBeNull();
    expect(tree.asked).toEqual([]);
  });

  it("R24 copies as plain text or Markdown, with the sources for whoever wants them", async () => {
    tree.exchange("Draft a pitch.", "**Signed** [1].", { citations: [aCitation()], retrieval: "ok" });
    const { person } = openChat();
    await screen.findByText("Signed");
    const copy = async (item: string) => {
      await person.click(within(article("Signed")).getByRole("button", { name: "More actions" }));
      await person.click(await screen.findByRole("menuitem", { name: item }));
    };
    await copy("Copy as plain text");
    await waitFor(async () => expect(await navigator.clipboard.readText()).toBe("Signed."));
    useUi.setState({ copySources: true });
    await copy("Copy as markdown");
    await waitFor(async () =>
      expect(await navigator.clipboard.readText()).toBe("**Signed**.\n\nSources:\n1. brief v3.pdf, page 4"),
    );
  });

  it("a quotation goes into the composer, below what is there", async () => {
    tree.exchange("Draft a pitch.", "One.\n\nTwo.");
    const { person } = openChat();
    await person.type(await field(), "About this:");
    await person.click(await screen.findByRole("button", { name: "Quote" }));
    expect(await field()).toHaveValue("About this:\n\n> One.\n>\n> Two.\n\n");
    await waitFor(async () => expect(await field()).toHaveFocus());
  });
});
