// The chat as a person uses it: write, read while it is written, stop, lose the line, look at the sources.
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Message } from "@/api/types";
import { aStream, assistant, chunk, done, serve, start, turn, withLayout } from "@/testing/chat";
import { aConversation, aMessage, aModel, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

withLayout();

const field = () => screen.findByRole<HTMLTextAreaElement>("textbox", { name: /^Message/ });

/** Answers the next message with a stream of the test's own, and remembers the requests. */
function answering(conversationId: string) {
  const stream = aStream();
  const requests: { key: string | null; body: unknown }[] = [];
  server.use(
    http.post(url(`/conversations/${conversationId}/messages`), async ({ request }) => {
      requests.push({ key: request.headers.get("Idempotency-Key"), body: await request.json() });
      return stream.response();
    }),
  );
  return { stream, requests };
}

describe("a new chat", () => {
  it("R19 starts with the first message, goes on at its own address and shows the answer as it comes", async () => {
    const conversation = aConversation({ title: "", assistant_id: assistant.id });
    serve(conversation);
    const created: unknown[] = [];
    server.use(
      http.post(url("/conversations"), async ({ request }) => {
        created.push(await request.json());
        expect(request.headers.get("Idempotency-Key")).toMatch(/^[0-9a-f-]{36}$/);
        return HttpResponse.json(conversation, { status: 201 });
      }),
    );
    const { stream, requests } = answering(conversation.id);
    const { person, address } = open("/chat/new", aUser());
    expect(await screen.findByRole("heading", { name: "What are we writing?" })).toBeInTheDocument();
    await person.type(await field(), "Draft a pitch.{Enter}");
    await waitFor(() => expect(address()).toBe(`/chat/${conversation.id}`));
    expect(created).toEqual([{ assistant_id: assistant.id }]);
    await waitFor(() => expect(requests).toHaveLength(1));
    expect(requests[0]?.body).toEqual({ content: "Draft a pitch.", stream: true });
    expect(requests[0]?.key).toMatch(/^[0-9a-f-]{36}$/);
    const log = await screen.findByRole("region", { name: "Conversation" });
    expect(await within(log).findByText("Draft a pitch.")).toBeInTheDocument();

    stream.say(start(conversation.id), chunk("Chainlab **opens"));
    expect(await within(log).findByText("opens")).toBeInTheDocument();
    expect(within(log).getByText("writing…")).toBeInTheDocument();
    expect(document.title).toMatch(/^● /);
    serve({ ...conversation, title: "Launch pitch" });
    stream.say(chunk("** today."), { type: "title", title: "Launch pitch" }, done());
    expect(await within(log).findByRole("button", { name: "Copy" })).toBeInTheDocument();
    expect(await screen.findByRole("heading", { level: 1, name: "Launch pitch" })).toBeInTheDocument();
    expect(within(log).getAllByRole("article")).toHaveLength(2);
    expect(screen.getByRole("button", { name: "Send" })).toBeInTheDocument();
  });

  it("says while files are still being read that answers do not use them", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    let [reading, asked] = [2, 0];
    const now = () => ({ ...assistant, reading_count: reading });
    const listed = now();
    serve(aConversation());
    server.use(
      http.get(url("/assistants"), () => HttpResponse.json({ assistants: [listed], total: 1 })),
      http.get(url(`/assistants/${assistant.id}`), () => {
        asked += 1;
        return HttpResponse.json(now());
      }),
    );
    open("/chat/new", aUser());
    await screen.findByText("2 files are still being read. Answers do not use them yet.");
    for (const [left, words] of [
      [1, "1 file is still being read. Answers do not use it yet."],
      [0, "Check names, numbers and quotes before you publish."],
    ] as const) {
      reading = left;
      await vi.advanceTimersByTimeAsync(3_000);
      expect(await screen.findByText(words)).toBeInTheDocument();
      expect(await field()).toHaveAccessibleDescription(words);
    }
    const before = asked;
    await vi.advanceTimersByTimeAsync(9_000);
    expect(asked).toBe(before);
  });

  it("keeps the text when the chat cannot be made", async () => {
    serve(aConversation());
    server.use(
      http.post(url("/conversations"), () => refuse(503, { error: "ServiceUnavailableError", message: "Busy." })),
    );
    const { person } = open("/chat/new", aUser());
    await person.type(await field(), "Draft a pitch.{Enter}");
    expect(await screen.findByRole("alert")).toHaveTextContent("Busy.");
    expect(await field()).toHaveValue("Draft a pitch.");
  });

  it("sends the dashboard's question at once, and only once", async () => {
    const conversation = aConversation({ assistant_id: assistant.id });
    serve(conversation);
    server.use(http.post(url("/conversations"), () => HttpResponse.json(conversation, { status: 201 })));
    const { stream, requests } = answering(conversation.id);
    const { router, address } = open("/assistants", aUser());
    await router.navigate(`/chat/new?assistant=${assistant.id}`, { state: { ask: "From the dashboard" } });
    await waitFor(() => expect(address()).toBe(`/chat/${conversation.id}`));
    stream.say(start(conversation.id), chunk("Here."), done());
    expect(await screen.findByText("Here.")).toBeInTheDocument();
    expect(requests.map(({ body }) => body)).toEqual([{ content: "From the dashboard", stream: true }]);
  });

  it("says whom to ask when there is no assistant", async () => {
    open("/chat/new", aUser({ role: "user" }));
    expect(await screen.findByText("An administrator has to create the first one.")).toBeInTheDocument();
    expect(screen.queryByRole("textbox", { name: /^Message/ })).toBeNull();
  });
});

describe("sending", () => {
  it("R14 R15 does not send what an input method is composing; Shift Enter makes a line", async () => {
    const conversation = aConversation();
    serve(conversation, turn(conversation.id));
    const { requests } = answering(conversation.id);
    const { person } = open(`/chat/${conversation.id}`, aUser());
    const text = await field();
    await person.type(text, "one{Shift>}{Enter}{/Shift}two");
    expect(text).toHaveValue("one\ntwo");
    fireEvent.keyDown(text, { key: "Enter", isComposing: true });
    fireEvent.keyDown(text, { key: "Enter", keyCode: 229 });
    fireEvent.keyDown(text, { key: "Process", keyCode: 13 });
    expect(requests).toEqual([]);
    expect(text).toHaveValue("one\ntwo");
    fireEvent.keyDown(text, { key: "Enter", keyCode: 13 });
    await waitFor(() => expect(requests).toHaveLength(1));
  });

  it("R16 R19 gives a refused message back with the reason", async () => {
    const conversation = aConversation();
    serve(conversation, turn(conversation.id));
    server.use(
      http.post(url(`/conversations/${conversation.id}/messages`), () =>
        refuse(503, { error: "ServiceUnavailableError", message: "No further answer can begin now. Try again soon." }),
      ),
    );
    const { person } = open(`/chat/${conversation.id}`, aUser());
    await person.type(await field(), "And now shorter.{Enter}");
    expect(await screen.findByRole("alert")).toHaveTextContent("No further answer can begin now.");
    expect(await field()).toHaveValue("And now shorter.");
    expect(screen.getByRole("button", { name: "Send" })).toBeEnabled();
    expect(screen.getAllByRole("article")).toHaveLength(2);
  });

  it("R16 keeps a draft per chat across a reload, until the server has the message", async () => {
    const conversation = aConversation();
    serve(conversation, turn(conversation.id));
    const user = aUser();
    const first = open(`/chat/${conversation.id}`, user);
    await first.person.type(await field(), "half a thought");
    first.unmount();
    const second = open(`/chat/${conversation.id}`, user);
    expect(await field()).toHaveValue("half a thought");
    const { stream } = answering(conversation.id);
    await second.person.type(await field(), "{Enter}");
    await screen.findByRole("button", { name: "Stop" });
    expect(JSON.stringify({ ...localStorage })).toContain("half a thought");
    stream.say(start(conversation.id));
    await waitFor(() => expect(JSON.stringify({ ...localStorage })).not.toContain("half a thought"));
  });

  it("R26 offers a model only where there is a choice, and sends the chosen one", async () => {
    const conversation = aConversation();
    serve(conversation, turn(conversation.id));
    const mini = aModel({ id: "openai/mini", name: "Mini", provider: "openai", is_default: false });
    server.use(
      http.get(url("/models"), () =>
        HttpResponse.json({ models: [aModel(), mini], total: 2, stale: false, fetched_at: null }),
      ),
    );
    const { requests } = answering(conversation.id);
    const { person } = open(`/chat/${conversation.id}`, aUser());
    await person.click(await screen.findByRole("button", { name: /^Model for the next message/ }));
    const list = await screen.findByRole("listbox", { name: "Models" });
    expect(within(list).getAllByRole("option")[0]).toHaveTextContent("Use the assistant's default");
    await person.keyboard("mini{Enter}");
    expect(await screen.findByRole("button", { name: "Model for the next message: Mini" })).toHaveFocus();
    await person.type(await field(), "x{Enter}");
    await waitFor(() => expect(requests[0]?.body).toMatchObject({ model: "openai/mini" }));
  });

  it("shows no picker for a single model", async () => {
    const conversation = aConversation();
    serve(conversation, turn(conversation.id));
    server.use(
      http.get(url("/models"), () =>
        HttpResponse.json({ models: [aModel()], total: 1, stale: false, fetched_at: null }),
      ),
    );
    open(`/chat/${conversation.id}`, aUser());
    await screen.findByText("Chainlab opens.");
    expect(screen.queryByRole("button", { name: /^Model for/ })).toBeNull();
  });
});

describe("an answer being written", () => {
  async function writing() {
    const conversation = aConversation();
    serve(conversation);
    const { stream } = answering(conversation.id);
    const view = open(`/chat/${conversation.id}`, aUser());
    await view.person.type(await field(), "Go.{Enter}");
    stream.say(start(conversation.id), chunk("Chainlab opens"));
    await screen.findByText("Chainlab opens");
    return { conversation, stream, ...view };
  }

  it("R12 stops: the partial text stays, nothing received later is shown, the server is told", async () => {
    const { conversation, stream, person } = await writing();
    const told: unknown[] = [];
    server.use(
      http.post(url(`/conversations/${conversation.id}/stop`), async ({ request }) => {
        told.push(await request.json());
        stream.say(chunk(" and more"), done("stopped"));
        return HttpResponse.json({ stopped: true });
      }),
    );
    await person.click(screen.getByRole("button", { name: "Stop" }));
    expect(await screen.findByText("Stopped.", { selector: "p" })).toBeInTheDocument();
    expect(told).toEqual([{ message_id: "m-answer" }]);
    expect(screen.getByText("Chainlab opens")).toBeInTheDocument();
    expect(screen.queryByText(/and more/)).toBeNull();
    expect(screen.getByRole("button", { name: "Send" })).toBeInTheDocument();
  });

  it("R12 stops by Escape in the composer and by Ctrl . anywhere", async () => {
    const { conversation, person } = await writing();
    let stops = 0;
    server.use(
      http.post(url(`/conversations/${conversation.id}/stop`), () => {
        stops += 1;
        return HttpResponse.json({ stopped: true });
      }),
    );
    await person.click(await field());
    await person.keyboard("{Escape}");
    expect(await screen.findByRole("button", { name: "Stopping…" })).toBeInTheDocument();
    fireEvent.keyDown(window, { code: "Period", ctrlKey: true });
    await waitFor(() => expect(stops).toBe(1));
  });

  it("R15 leaves the composer usable and says why Enter does not send", async () => {
    const { person } = await writing();
    await person.type(await field(), "next{Enter}");
    expect(await field()).toHaveValue("next");
    expect(screen.getByText("Wait for the answer, or stop it.")).toBeInTheDocument();
  });

  it("R13 goes on after the line broke, without a second message", async () => {
    const { conversation, stream } = await writing();
    const again = aStream();
    const half = aMessage({ id: "m-answer", conversation_id: conversation.id, role: "assistant", status: "streaming" });
    server.use(
      http.get(url(`/conversations/${conversation.id}/messages/m-answer`), () => HttpResponse.json(half)),
      http.get(url(`/conversations/${conversation.id}/messages/m-answer/stream`), () => again.response()),
    );
    stream.fail();
    expect(await screen.findByText("Reconnecting… your answer goes on without you.")).toBeInTheDocument();
    expect(screen.getByText("Chainlab opens")).toBeInTheDocument();
    again.say(start(conversation.id), chunk("Chainlab opens its mainnet"), chunk(" today."));
    expect(await screen.findByText("Chainlab opens its mainnet today.", {}, { timeout: 3000 })).toBeInTheDocument();
    const whole = { ...half, status: "complete", content: "Chainlab opens its mainnet today." } as const;
    server.use(http.get(url(`/conversations/${conversation.id}/messages/m-answer`), () => HttpResponse.json(whole)));
    again.say(done());
    await screen.findByRole("button", { name: "Copy" });
    expect(screen.getAllByRole("article")).toHaveLength(2);
  });

  it("A5 A6 is not a live region; its beginning and end are announced", async () => {
    const { stream } = await writing();
    const answer = screen.getAllByRole("article").at(-1);
    expect(answer).toHaveAttribute("aria-busy", "true");
    expect(answer?.closest("[aria-live]")).toBeNull();
    expect(await screen.findByText("Press Writer is writing")).toBeInTheDocument();
    stream.say(done());
    expect(await screen.findByText("Answer ready. Chainlab opens")).toBeInTheDocument();
    expect(answer).toHaveAttribute("aria-busy", "false");
  });

  it("is joined after a reload in the middle of it", async () => {
    const conversation = aConversation();
    const half = { id: "m-answer", status: "streaming", content: "Chain", finish_reason: null } as const;
    serve(conversation, turn(conversation.id, half));
    const stream = aStream();
    server.use(http.get(url(`/conversations/${conversation.id}/messages/m-answer/stream`), () => stream.response()));
    open(`/chat/${conversation.id}`, aUser());
    expect(await screen.findByText("Chain")).toBeInTheDocument();
    expect(await screen.findByRole("button", { name: "Stop" })).toBeInTheDocument();
    stream.say(start(conversation.id), chunk("Chainlab"), chunk(" opens."), done());
    expect(await screen.findByText("Chainlab opens.")).toBeInTheDocument();
    expect(await screen.findByRole("button", { name: "Send" })).toBeInTheDocument();
    expect(screen.getAllByRole("article")).toHaveLength(2);
  });

  it("goes on when its page is left and opened again", async () => {
    const { conversation, stream, router } = await writing();
    await router.navigate("/chat/new");
    await screen.findByRole("heading", { name: "What are we writing?" });
    stream.say(chunk(" its mainnet."), done());
    const answer: Partial<Message> = { id: "m-answer", content: "Chainlab opens its mainnet." };
    serve(conversation, turn(conversation.id, answer));
    await router.navigate(`/chat/${conversation.id}`);
    expect(await screen.findByText("Chainlab opens its mainnet.")).toBeInTheDocument();
    expect(await screen.findByRole("button", { name: "Send" })).toBeInTheDocument();
  });
});

const failure = (error: string, message = "") => ({ error, message });

describe("how an answer ended", () => {
  it.each<[string, Partial<Message>]>([
    ["Stopped.", { status: "stopped", finish_reason: "stopped" }],
    ["The connection broke. This part was saved.", { status: "interrupted" }],
    ["Reached the length limit.", { finish_reason: "length" }],
    ["The provider withheld the rest.", { finish_reason: "content_filter" }],
    ["No matching passage in the files. This answer comes from the model alone.", { retrieval: "none" }],
    ["File search did not work. This answer was written without your files.", { retrieval: "unavailable" }],
    ["OpenAI took too long.", { status: "error", error: failure("ProviderTimeoutError"), provider: "openai" }],
    [
      "OpenAI had a problem. Nothing was charged.",
      { status: "error", error: failure("ProviderError"), provider: "openai", content: "" },
    ],
    [
      "The answer could not be finished. Out of luck.",
      { status: "error", error: failure("InternalError", "Out of luck.") },
    ],
  ])("says: %s", async (words, answer) => {
    const conversation = aConversation();
    serve(conversation, turn(conversation.id, answer));
    open(`/chat/${conversation.id}`, aUser());
    expect(await screen.findByText(words)).toBeInTheDocument();
  });
});
