// The pages of the assistants: the list in all its states, one assistant, the form.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { Assistant } from "@/api/types";
import { aModel, anAssistant, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

const user = aUser();
const manager = aUser({ role: "manager" });

function listed(...assistants: Assistant[]) {
  return http.get(url("/assistants"), ({ request }) => {
    const search = (new URL(request.url).searchParams.get("search") ?? "").toLowerCase();
    const found = assistants.filter((assistant) => assistant.name.toLowerCase().includes(search));
    return HttpResponse.json({ assistants: found, total: found.length });
  });
}

function one(assistant: Assistant) {
  return http.get(url(`/assistants/${assistant.id}`), () => HttpResponse.json(assistant));
}

const models = http.get(url("/models"), () =>
  HttpResponse.json({
    models: [aModel(), aModel({ id: "openai/gpt-mini", name: "GPT mini", provider: "openai", is_default: false })],
    total: 2,
    stale: false,
    fetched_at: null,
  }),
);

describe("list of assistants", () => {
  it("shows cards with model and files; people only start chats, managers also edit", async () => {
    const writer = anAssistant({ model: "openai/gpt-mini", file_count: 12 });
    server.use(listed(writer), models);
    const { unmount } = open("/assistants", user);
    const card = await screen.findByRole("article");
    expect(within(card).getByRole("link", { name: "Press Writer" })).toHaveAttribute(
      "href",
      `/assistants/${writer.id}`,
    );
    expect(await within(card).findByText("GPT mini")).toBeInTheDocument();
    expect(card).toHaveTextContent("12 files");
    expect(within(card).getByRole("link", { name: /Start chat/ })).toHaveAttribute(
      "href",
      `/chat/new?assistant=${writer.id}`,
    );
    expect(within(card).queryByRole("link", { name: /Edit/ })).not.toBeInTheDocument();
    unmount();
    open("/assistants", manager);
    expect(await screen.findByRole("link", { name: /Edit/ })).toBeInTheDocument();
  });

  it("searches while typing and keeps the search in the address", async () => {
    server.use(listed(anAssistant(), anAssistant({ name: "Media Lister" })));
    const { person, address } = open("/assistants", user);
    expect(await screen.findAllByRole("article")).toHaveLength(2);
    await person.type(screen.getByRole("searchbox", { name: "Search assistants" }), "media");
    await waitFor(() => expect(screen.getAllByRole("article")).toHaveLength(1));
    expect(address()).toBe("/assistants?q=media");
    await person.type(screen.getByRole("searchbox"), "zzz");
    expect(await screen.findByText("Nothing found for “mediazzz”")).toBeInTheDocument();
    await person.click(screen.getByRole("button", { name: "Clear search" }));
    await waitFor(() => expect(screen.getAllByRole("article")).toHaveLength(2));
  });

  it("says who can make the first one", async () => {
    const { unmount } = open("/assistants", user);
    expect(await screen.findByText("An administrator has to create the first one.")).toBeInTheDocument();
    unmount();
    open("/assistants", manager);
    expect(await screen.findByText("Create your first assistant")).toBeInTheDocument();
  });

  it("a failure names what failed, the request, and a way on", async () => {
    server.use(
      http.get(url("/assistants"), () => refuse(500, { error: "InternalError", request_id: "req-7" }), { once: true }),
      listed(anAssistant()),
    );
    const { person } = open("/assistants", user);
    const failure = await screen.findByRole("alert");
    expect(failure).toHaveTextContent("Could not load the assistants");
    expect(failure).toHaveTextContent("req-7");
    await person.click(within(failure).getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("article")).toBeInTheDocument();
  });
});

describe("one assistant", () => {
  it("a deleted one can be restored by a manager, and nobody can start a chat with it", async () => {
    const gone = anAssistant({ is_deleted: true });
    server.use(
      one(gone),
      http.post(url(`/assistants/${gone.id}/restore`), () => {
        server.use(one({ ...gone, is_deleted: false }));
        return HttpResponse.json({ ...gone, is_deleted: false });
      }),
    );
    const { person } = open(`/assistants/${gone.id}`, manager);
    await person.click(await screen.findByRole("button", { name: "Restore" }));
    expect(await screen.findByRole("link", { name: "Start chat" })).toBeInTheDocument();
  });

  it("R37 deleting asks for the name", async () => {
    let deleted = false;
    const writer = anAssistant({ file_count: 12 });
    server.use(
      one(writer),
      http.delete(url(`/assistants/${writer.id}`), () => {
        deleted = true;
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { person, address } = open(`/assistants/${writer.id}/edit`, manager);
    await person.click(await screen.findByRole("button", { name: "Delete assistant…" }));
    const dialog = await screen.findByRole("alertdialog", { name: "Delete Press Writer?" });
    expect(dialog).toHaveTextContent("Its 12 files stay stored");
    expect(within(dialog).getByRole("button", { name: "Cancel" })).toHaveFocus();
    expect(within(dialog).getByRole("button", { name: "Delete assistant" })).toBeDisabled();
    await person.type(within(dialog).getByRole("textbox"), "Press Writer");
    await person.click(within(dialog).getByRole("button", { name: "Delete assistant" }));
    await waitFor(() => expect(address()).toBe("/assistants"));
    expect(deleted).toBe(true);
  });

  it("an unknown one is the 404 page", async () => {
    server.use(http.get(url("/assistants/nobody"), () => refuse(404, { error: "NotFoundError" })));
    open("/assistants/nobody", user);
    expect(await screen.findByRole("heading", { name: "Page not found" })).toBeInTheDocument();
    expect(screen.getByRole("link", { name: "Back to dashboard" })).toHaveAttribute("href", "/");
  });
});

describe("form of an assistant", () => {
  it("is not for plain users, and asks the server nothing", async () => {
    open("/assistants/new", user);
    expect(await screen.findByRole("heading", { name: "Not for your role" })).toBeInTheDocument();
    expect(screen.queryByLabelText("Name")).not.toBeInTheDocument();
  });

  it("R35 names what is missing and focuses it", async () => {
    const { person } = open("/assistants/new", manager);
    await person.click(await screen.findByRole("button", { name: "Create assistant" }));
    const name = screen.getByLabelText("Name");
    await waitFor(() => expect(name).toHaveAccessibleDescription(/Fill this in\./));
    expect(name).toHaveFocus();
    await person.type(name, "PW");
    await person.click(screen.getByRole("button", { name: "Create assistant" }));
    await waitFor(() => expect(name).toHaveAccessibleDescription(/Use at least 3 characters\./));
  });

  it("creates and goes on to the files; a second try after a failure reuses its key", async () => {
    const created = anAssistant({ name: "Op-ed Coach" });
    const keys: (string | null)[] = [];
    let sent: unknown;
    server.use(
      models,
      one(created),
      http.post(url("/assistants"), async ({ request }) => {
        keys.push(request.headers.get("Idempotency-Key"));
        sent = await request.json();
        return keys.length === 1
          ? refuse(503, { error: "ServiceUnavailableError" })
          : HttpResponse.json(created, { status: 201 });
      }),
    );
    const { person, address } = open("/assistants/new", manager);
    await person.type(await screen.findByLabelText("Name"), "Op-ed Coach");
    await person.click(screen.getByRole("button", { name: "Create assistant" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("The server is not ready yet.");
    await person.click(screen.getByRole("button", { name: "Create assistant" }));
    await waitFor(() => expect(address()).toBe(`/assistants/${created.id}?tab=files`));
    expect(sent).toEqual({
      name: "Op-ed Coach",
      description: null,
      instructions: "",
      model: null,
      temperature: 0.7,
      max_tokens: 2048,
    });
    expect(keys[0]).toBeTruthy();
    expect(keys[1]).toBe(keys[0]);
  });

  it("puts the server's complaints under their fields", async () => {
    server.use(
      http.post(url("/assistants"), () =>
        refuse(422, { error: "ValidationError", details: [{ field: "name", message: "This name is taken." }] }),
      ),
    );
    const { person } = open("/assistants/new", manager);
    await person.type(await screen.findByLabelText("Name"), "Press Writer");
    await person.click(screen.getByRole("button", { name: "Create assistant" }));
    const name = screen.getByLabelText("Name");
    await waitFor(() => expect(name).toHaveAccessibleDescription(/This name is taken\./));
    expect(name).toHaveFocus();
  });

  it("keeps the assistant's model when the list of models arrives after the form", async () => {
    const writer = anAssistant({ model: "openai/gpt-mini" });
    let sent: unknown;
    server.use(
      one(writer),
      models,
      http.patch(url(`/assistants/${writer.id}`), async ({ request }) => {
        sent = await request.json();
        return HttpResponse.json(writer);
      }),
    );
    const { person } = open(`/assistants/${writer.id}/edit`, manager);
    await screen.findByRole("option", { name: "GPT mini · openai" });
    expect(screen.getByLabelText("Model")).toHaveValue("openai/gpt-mini");
    await person.type(screen.getByLabelText("Description"), " Short.");
    await person.click(screen.getByRole("button", { name: "Save changes" }));
    await waitFor(() => expect(sent).toMatchObject({ model: "openai/gpt-mini" }));
  });

  it("R39 when someone else saved first, both versions are shown and mine can stay", async () => {
    const before = anAssistant({ version: 1 });
    const theirs = { ...before, version: 2, description: "Theirs." };
    const versions: (string | null)[] = [];
    server.use(
      http.get(url(`/assistants/${before.id}`), () => HttpResponse.json(versions.length === 0 ? before : theirs)),
      http.patch(url(`/assistants/${before.id}`), ({ request }) => {
        versions.push(request.headers.get("If-Match"));
        return versions.length === 1
          ? refuse(412, { error: "PreconditionFailedError" })
          : HttpResponse.json({ ...theirs, version: 3 });
      }),
    );
    const { person, address } = open(`/assistants/${before.id}/edit`, manager);
    const description = await screen.findByLabelText("Description");
    await person.clear(description);
    await person.type(description, "Mine.");
    await person.click(screen.getByRole("button", { name: "Save changes" }));
    const dialog = await screen.findByRole("dialog", { name: "Changed by someone else" });
    expect(dialog).toHaveTextContent("Mine.");
    expect(dialog).toHaveTextContent("Theirs.");
    await person.click(within(dialog).getByRole("button", { name: "Keep mine" }));
    await waitFor(() => expect(address()).toBe(`/assistants/${before.id}`));
    expect(versions).toEqual(['"1"', '"2"']);
  });

  it("R35 asks before unsaved changes are lost", async () => {
    const { person, address } = open("/assistants/new", manager);
    await person.type(await screen.findByLabelText("Name"), "Half");
    await person.click(screen.getByRole("button", { name: "Cancel" }));
    const dialog = await screen.findByRole("alertdialog", { name: "Leave without saving?" });
    await person.click(within(dialog).getByRole("button", { name: "Stay on this page" }));
    expect(address()).toBe("/assistants/new");
    expect(screen.getByLabelText("Name")).toHaveValue("Half");
    expect(screen.getByRole("button", { name: "Cancel" })).toHaveFocus();
    await person.click(screen.getByRole("button", { name: "Cancel" }));
    await person.click(await screen.findByRole("button", { name: "Leave" }));
    await waitFor(() => expect(address()).toBe("/assistants"));
  });
});
