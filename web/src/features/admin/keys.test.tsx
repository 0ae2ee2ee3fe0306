// The administrator's page of providers' keys: a key is typed once and never comes back; a test speaks in words.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import { queryClient } from "@/api/query";
import type { ApiKey } from "@/api/types";
import { anApiKey, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

const admin = aUser({ role: "admin" });
const SECRET = "sk-ant-0123456789abcdef";

function keys(...all: ApiKey[]) {
  server.use(
    http.get(url("/api-keys"), () => HttpResponse.json({ api_keys: all, total: all.length })),
    http.get(url("/api-keys/:id"), ({ params }) => HttpResponse.json(all.find((each) => each.id === params.id))),
  );
}

async function choose(person: ReturnType<typeof open>["person"], name: string, item: string) {
  await person.click(await screen.findByRole("button", { name: `Actions for ${name}` }));
  await person.click(await screen.findByRole("menuitem", { name: item }));
}

describe("list of keys", () => {
  it("shows provider, the end of the key, default and state", async () => {
    keys(
      anApiKey(),
      anApiKey({
        provider: "custom",
        name: "Lab",
        base_url: "http://lab.example/v1",
        is_default: false,
        is_active: false,
      }),
    );
    open("/admin/api-keys", admin);
    const row = await screen.findByRole("row", { name: /Main/ });
    for (const text of ["Anthropic", "…9f2c", "Active", "Default", "never"]) expect(row).toHaveTextContent(text);
    const lab = screen.getByRole("row", { name: /Lab/ });
    for (const text of ["Custom", "http://lab.example/v1", "Switched off"]) expect(lab).toHaveTextContent(text);
    expect(lab).not.toHaveTextContent("Default");
  });

  it("without keys says why one is needed", async () => {
    keys();
    const { person } = open("/admin/api-keys", admin);
    expect(await screen.findByText("No provider keys yet")).toBeInTheDocument();
    await person.click(screen.getAllByRole("button", { name: "Add key" })[1] as HTMLElement);
    expect(await screen.findByRole("dialog", { name: "Add a key" })).toBeInTheDocument();
  });

  it.each([
    [{ ok: true, status: "ok", latency_ms: 412 }, "Works, 412 ms."],
    [{ ok: false, status: "unauthorized", latency_ms: 80 }, "The provider rejects this key. Replace it."],
    [{ ok: false, status: "unreachable", latency_ms: null }, "Not reachable from this server."],
    [{ ok: false, status: "error", latency_ms: 90 }, "The provider answered with an error."],
  ])("a test that ends with %o says so in words", async (answer, words) => {
    const main = anApiKey();
    keys(main);
    server.use(http.post(url(`/api-keys/${main.id}/test`), () => HttpResponse.json(answer)));
    const { person } = open("/admin/api-keys", admin);
    await person.click(await screen.findByRole("button", { name: "Test Main" }));
    expect(await screen.findByText(words)).toBeInTheDocument();
  });
});

describe("adding a key", () => {
  it("sends the key once and keeps it nowhere", async () => {
    keys();
    let sent: unknown;
    server.use(
      http.post(url("/api-keys"), async ({ request }) => {
        sent = await request.json();
        keys(anApiKey());
        return HttpResponse.json(anApiKey(), { status: 201 });
      }),
    );
    const { person } = open("/admin/api-keys", admin);
    await person.click((await screen.findAllByRole("button", { name: "Add key" }))[0] as HTMLElement);
    const dialog = await screen.findByRole("dialog", { name: "Add a key" });
    await person.selectOptions(within(dialog).getByLabelText("Provider"), "Anthropic");
    await person.type(within(dialog).getByLabelText("Name"), "Main");
    expect(within(dialog).getByLabelText("Key")).toHaveAttribute("type", "password");
    await person.type(within(dialog).getByLabelText("Key"), SECRET);
    await person.click(within(dialog).getByRole("button", { name: "Add key" }));
    expect(await screen.findByRole("row", { name: /Main/ })).toBeInTheDocument();
    expect(sent).toEqual({ provider: "anthropic", name: "Main", key: SECRET, is_default: true });
    const kept = () =>
      JSON.stringify(
        queryClient
          .getMutationCache()
          .getAll()
          .map((mutation) => mutation.state),
      );
    await waitFor(() => expect(kept()).not.toContain(SECRET));
    expect(document.body.innerHTML).not.toContain(SECRET);
  });

  it("a custom provider needs its address and may have prices; a key with spaces is refused here", async () => {
    keys(anApiKey());
    let sent: unknown;
    server.use(
      http.post(url("/api-keys"), async ({ request }) => {
        sent = await request.json();
        return HttpResponse.json(anApiKey({ provider: "custom" }), { status: 201 });
      }),
    );
    const { person } = open("/admin/api-keys", admin);
    await person.click(await screen.findByRole("button", { name: "Add key" }));
    const dialog = within(await screen.findByRole("dialog"));
    expect(dialog.queryByLabelText("Address of the service")).not.toBeInTheDocument();
    await person.selectOptions(dialog.getByLabelText("Provider"), "Custom");
    await person.type(dialog.getByLabelText("Name"), "Lab");
    await person.type(dialog.getByLabelText("Key"), "two words");
    await person.type(dialog.getByLabelText("Address of the service"), "lab.example");
    await person.type(dialog.getByLabelText("Price in, $ for 1 M tokens"), "-1");
    await person.click(dialog.getByRole("button", { name: "Add key" }));
    expect(await dialog.findByText("A key has only letters, digits and signs, without spaces.")).toBeInTheDocument();
    expect(dialog.getByText("Write a whole address that begins with http:// or https://.")).toBeInTheDocument();
    expect(dialog.getByText("Write a number of dollars, 0 or more.")).toBeInTheDocument();
    expect(sent).toBeUndefined();
    for (const [label, text] of [
      ["Key", SECRET],
      ["Address of the service", "https://lab.example/v1"],
      ["Price in, $ for 1 M tokens", "0.25"],
      ["Context, tokens", "32000"],
    ] as const) {
      await person.clear(dialog.getByLabelText(label));
      await person.type(dialog.getByLabelText(label), text);
    }
    await person.click(dialog.getByRole("button", { name: "Add key" }));
    await waitFor(() =>
      expect(sent).toEqual({
        provider: "custom",
        name: "Lab",
        key: SECRET,
        is_default: false,
        base_url: "https://lab.example/v1",
        prompt_price: 0.25,
        context_length: 32_000,
      }),
    );
  });
});

describe("changing a key", () => {
  it("replaces the key; what was typed before is never shown", async () => {
    const main = anApiKey();
    keys(main);
    let sent: unknown;
    server.use(
      http.patch(url(`/api-keys/${main.id}`), async ({ request }) => {
        sent = await request.json();
        return HttpResponse.json(main);
      }),
    );
    const { person } = open("/admin/api-keys", admin);
    await choose(person, "Main", "Replace key…");
    const dialog = within(await screen.findByRole("dialog", { name: "Replace the key of Main" }));
    expect(dialog.getByLabelText("Key")).toHaveValue("");
    await person.type(dialog.getByLabelText("Key"), SECRET);
    await person.click(dialog.getByRole("button", { name: "Replace key" }));
    await waitFor(() => expect(sent).toEqual({ key: SECRET }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  });

  it("a new address of a custom provider asks for the key again", async () => {
    const lab = anApiKey({ provider: "custom", name: "Lab", base_url: "https://lab.example/v1", version: 7 });
    keys(lab);
    const sent: unknown[] = [];
    server.use(
      http.patch(url(`/api-keys/${lab.id}`), async ({ request }) => {
        sent.push(await request.json(), request.headers.get("If-Match"));
        return HttpResponse.json(lab);
      }),
    );
    const { person } = open("/admin/api-keys", admin);
    await choose(person, "Lab", "Edit…");
    const dialog = within(await screen.findByRole("dialog", { name: "Edit Lab" }));
    expect(dialog.queryByLabelText("Key")).not.toBeInTheDocument();
    await person.clear(dialog.getByLabelText("Address of the service"));
    await person.type(dialog.getByLabelText("Address of the service"), "https://new.example/v1");
    await person.click(dialog.getByRole("button", { name: "Save changes" }));
    expect(await dialog.findByText("Fill this in.")).toBeInTheDocument();
    await person.type(dialog.getByLabelText("Key"), SECRET);
    await person.click(dialog.getByRole("button", { name: "Save changes" }));
    await waitFor(() => expect(sent).toEqual([{ base_url: "https://new.example/v1", key: SECRET }, '"7"']));
  });

  it("R39 someone else renamed it first: both names are shown", async () => {
    const main = anApiKey();
    keys(main);
    server.use(
      http.patch(url(`/api-keys/${main.id}`), () => {
        keys({ ...main, name: "Primary", version: 2 });
        return refuse(412, { error: "PreconditionFailedError" });
      }),
    );
    const { person } = open("/admin/api-keys", admin);
    await choose(person, "Main", "Edit…");
    const dialog = within(await screen.findByRole("dialog", { name: "Edit Main" }));
    await person.type(dialog.getByLabelText("Name"), " 2");
    await person.click(dialog.getByRole("button", { name: "Save changes" }));
    const conflict = await screen.findByRole("dialog", { name: "Changed by someone else" });
    expect(conflict).toHaveTextContent("Main 2");
    expect(conflict).toHaveTextContent("Primary");
    await person.click(within(conflict).getByRole("button", { name: "Take theirs" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  });

  it("makes default, switches off, and deletes after a question", async () => {
    const backup = anApiKey({ name: "Backup", is_default: false });
    keys(backup);
    const done: unknown[] = [];
    server.use(
      http.patch(url(`/api-keys/${backup.id}`), async ({ request }) => {
        done.push(await request.json());
        return HttpResponse.json(backup);
      }),
      http.delete(url(`/api-keys/${backup.id}`), () => {
        done.push("deleted");
        keys();
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { person } = open("/admin/api-keys", admin);
    await choose(person, "Backup", "Make default");
    await waitFor(() => expect(done).toEqual([{ is_default: true }]));
    await choose(person, "Backup", "Switch off");
    await waitFor(() => expect(done.at(-1)).toEqual({ is_active: false }));
    await choose(person, "Backup", "Delete…");
    const dialog = await screen.findByRole("alertdialog", { name: "Delete Backup?" });
    expect(within(dialog).getByRole("button", { name: "Cancel" })).toHaveFocus();
    await person.click(within(dialog).getByRole("button", { name: "Delete key" }));
    expect(await screen.findByText("No provider keys yet")).toBeInTheDocument();
  });
});
