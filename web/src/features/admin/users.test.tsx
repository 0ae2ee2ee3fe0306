// The administrator's page of users: list and filters in the address, and every change only as the server confirms it.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it, vi } from "vitest";
import { queryClient } from "@/api/query";
import type { Account } from "@/api/types";
import { anAccount, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

const admin = aUser({ role: "admin" });

function accounts(...all: Account[]) {
  const asked: URLSearchParams[] = [];
  server.use(
    http.get(url("/admin/users"), ({ request }) => {
      const query = new URL(request.url).searchParams;
      asked.push(query);
      const search = (query.get("search") ?? "").toLowerCase();
      const found = all.filter(
        (each) =>
          `${each.name} ${each.email}`.toLowerCase().includes(search) &&
          (query.get("role") ?? each.role) === each.role &&
          (query.get("is_active") ?? String(each.is_active)) === String(each.is_active),
      );
      const [limit, offset] = [Number(query.get("limit")), Number(query.get("offset"))];
      return HttpResponse.json({ users: found.slice(offset, offset + limit), total: found.length });
    }),
    http.get(url("/admin/users/:id"), ({ params }) => {
      const found = all.find((each) => each.id === params.id);
      return found ? HttpResponse.json(found) : refuse(404, { error: "NotFoundError" });
    }),
  );
  return asked;
}

async function choose(person: ReturnType<typeof open>["person"], name: string, item: string) {
  await person.click(await screen.findByRole("button", { name: `Actions for ${name}` }));
  await person.click(await screen.findByRole("menuitem", { name: item }));
}

describe("list of users", () => {
  it("shows name, role, last sign-in, cost and state", async () => {
    accounts(
      anAccount(),
      anAccount({ name: "Guy Tal", email: "guy@example.com", is_active: false, last_login_at: null }),
    );
    open("/admin/users", admin);
    const row = await screen.findByRole("row", { name: /Noa Bar/ });
    for (const text of ["noa@example.com", "User", "$18.40", "Active"]) expect(row).toHaveTextContent(text);
    const other = screen.getByRole("row", { name: /Guy Tal/ });
    expect(other).toHaveTextContent("Deactivated");
    expect(other).toHaveTextContent("never");
    expect(document.title).toBe("Users · AI-Across");
  });

  it("R38 search, filters and page live in the address and go to the server; a new filter starts at page one", async () => {
    const many = Array.from({ length: 45 }, (_, n) => anAccount({ name: `Person ${n}`, email: `p${n}@example.com` }));
    const asked = accounts(...many);
    const { person, address } = open("/admin/users", admin);
    await person.click(await screen.findByRole("button", { name: "Next page" }));
    expect(await screen.findByText("21–40 of 45")).toBeInTheDocument();
    expect(address()).toBe("/admin/users?page=2");
    await person.selectOptions(screen.getByRole("combobox", { name: "Role" }), "User");
    expect(await screen.findByText("1–20 of 45")).toBeInTheDocument();
    await person.type(screen.getByRole("searchbox", { name: "Search name or email" }), "p44@");
    await waitFor(() => expect(address()).toBe("/admin/users?role=user&q=p44%40"));
    expect(await screen.findByRole("row", { name: /Person 44/ })).toBeInTheDocument();
    expect(Object.fromEntries(asked.at(-1) ?? [])).toEqual({ search: "p44@", role: "user", limit: "20", offset: "0" });
  });

  it("opens at the filters and the page its address names", async () => {
    const asked = accounts(anAccount({ role: "manager" }));
    open("/admin/users?q=noa&role=manager&active=true&page=3", admin);
    await waitFor(() => expect(asked.length).toBeGreaterThan(0));
    expect(Object.fromEntries(asked[0] ?? [])).toEqual({
      search: "noa",
      role: "manager",
      is_active: "true",
      limit: "20",
      offset: "40",
    });
  });

  it("finding nobody offers to clear the filters", async () => {
    accounts(anAccount());
    const { person, address } = open("/admin/users?q=zzz", admin);
    expect(await screen.findByText("Nobody found")).toBeInTheDocument();
    await person.click(screen.getByRole("button", { name: "Clear filters" }));
    expect(await screen.findByRole("row", { name: /Noa Bar/ })).toBeInTheDocument();
    expect(address()).toBe("/admin/users");
  });

  it("a failure names what failed, the request, and a way on", async () => {
    accounts(anAccount());
    server.use(
      http.get(url("/admin/users"), () => refuse(500, { error: "InternalError", request_id: "req-9" }), { once: true }),
    );
    const { person } = open("/admin/users", admin);
    const failure = await screen.findByRole("alert");
    expect(failure).toHaveTextContent("Could not load the users");
    expect(failure).toHaveTextContent("req-9");
    await person.click(within(failure).getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("row", { name: /Noa Bar/ })).toBeInTheDocument();
  });
});

describe("adding a user", () => {
  it("R40 shows the temporary password once, copies it, and keeps it nowhere", async () => {
    accounts();
    let sent: unknown;
    server.use(
      http.post(url("/admin/users"), async ({ request }) => {
        sent = await request.json();
        expect(request.headers.get("Idempotency-Key")).toBeTruthy();
        return HttpResponse.json({ ...anAccount(), temporary_password: "maple-river-stone-42" }, { status: 201 });
      }),
    );
    const { person } = open("/admin/users", admin);
    await person.click(await screen.findByRole("button", { name: "Add user" }));
    const dialog = await screen.findByRole("dialog", { name: "Add a user" });
    await person.type(within(dialog).getByLabelText("Name"), "Noa Bar");
    await person.type(within(dialog).getByLabelText("Email"), "noa@example.com");
    await person.selectOptions(within(dialog).getByLabelText("Role"), "Manager");
    await person.click(within(dialog).getByRole("button", { name: "Add user" }));
    const secret = await screen.findByRole("dialog", { name: "Temporary password for Noa Bar" });
    expect(sent).toEqual({ email: "noa@example.com", name: "Noa Bar", role: "manager" });
    expect(within(secret).getByRole("status", { name: "Temporary password" })).toHaveTextContent(
      "maple-river-stone-42",
    );
    await person.click(within(secret).getByRole("button", { name: "Copy" }));
    expect(await navigator.clipboard.readText()).toBe("maple-river-stone-42");
    await person.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(document.body).not.toHaveTextContent("maple-river-stone-42");
    const kept = () =>
      JSON.stringify(
        queryClient
          .getMutationCache()
          .getAll()
          .map((mutation) => mutation.state),
      );
    await waitFor(() => expect(kept()).not.toContain("maple-river-stone-42"));
  });

  it("R35 names what is missing, and puts the server's refusal under its field", async () => {
    accounts();
    server.use(
      http.post(url("/admin/users"), () =>
        refuse(409, {
          error: "ConflictError",
          message: "This email is taken.",
          details: [{ field: "email", message: "Somebody else has this email." }],
        }),
      ),
    );
    const { person } = open("/admin/users", admin);
    await person.click(await screen.findByRole("button", { name: "Add user" }));
    const dialog = await screen.findByRole("dialog");
    await person.click(within(dialog).getByRole("button", { name: "Add user" }));
    const name = within(dialog).getByLabelText("Name");
    await waitFor(() => expect(name).toHaveFocus());
    expect(name).toHaveAccessibleDescription("Fill this in.");
    await person.type(name, "Noa");
    await person.type(within(dialog).getByLabelText("Email"), "noa@example.com");
    await person.click(within(dialog).getByRole("button", { name: "Add user" }));
    expect(await within(dialog).findByText("Somebody else has this email.")).toBeInTheDocument();
    expect(within(dialog).getByLabelText("Email")).toHaveFocus();
  });
});

describe("editing a user", () => {
  it("sends only what changed, with the version it started from, and shows nothing before the answer", async () => {
    const noa = anAccount();
    accounts(noa);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const sent = vi.fn();
    server.use(
      http.patch(url(`/admin/users/${noa.id}`), async ({ request }) => {
        sent(await request.json(), request.headers.get("If-Match"));
        await held;
        accounts({ ...noa, role: "manager", version: 4 });
        return HttpResponse.json({ ...noa, role: "manager", version: 4 });
      }),
    );
    const { person, address } = open("/admin/users", admin);
    await person.click(await screen.findByRole("link", { name: "Noa Bar" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit Noa Bar" });
    expect(address()).toBe(`/admin/users?user=${noa.id}`);
    await person.selectOptions(within(dialog).getByLabelText("Role"), "Manager");
    await person.click(within(dialog).getByRole("button", { name: "Save changes" }));
    await waitFor(() => expect(sent).toHaveBeenCalledWith({ role: "manager" }, '"3"'));
    const table = screen.getByRole("table", { hidden: true });
    expect(within(table).queryByText("Manager")).not.toBeInTheDocument();
    release();
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(await within(table).findByText("Manager")).toBeInTheDocument();
    expect(address()).toBe("/admin/users");
  });

  it("R39 someone else saved first: both values are shown, and mine is sent against their version", async () => {
    const noa = anAccount();
    accounts(noa);
    const versions: (string | null)[] = [];
    server.use(
      http.patch(url(`/admin/users/${noa.id}`), ({ request }) => {
        versions.push(request.headers.get("If-Match"));
        if (versions.length > 1) return HttpResponse.json({ ...noa, name: "Noa B.", version: 5 });
        accounts({ ...noa, name: "Noa Bar-On", version: 4 });
        return refuse(412, { error: "PreconditionFailedError" });
      }),
    );
    const { person } = open(`/admin/users?user=${noa.id}`, admin);
    const dialog = await screen.findByRole("dialog", { name: "Edit Noa Bar" });
    await person.clear(within(dialog).getByLabelText("Name"));
    await person.type(within(dialog).getByLabelText("Name"), "Noa B.");
    await person.click(within(dialog).getByRole("button", { name: "Save changes" }));
    const conflict = await screen.findByRole("dialog", { name: "Changed by someone else" });
    expect(conflict).toHaveTextContent("Noa B.");
    expect(conflict).toHaveTextContent("Noa Bar-On");
    expect(within(conflict).queryByText("Email")).not.toBeInTheDocument();
    await person.click(within(conflict).getByRole("button", { name: "Keep mine" }));
    await waitFor(() => expect(versions).toEqual(['"3"', '"4"']));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  });

  it("changes to different fields do not dispute each other", async () => {
    const noa = anAccount();
    accounts(noa);
    const versions: (string | null)[] = [];
    server.use(
      http.patch(url(`/admin/users/${noa.id}`), ({ request }) => {
        versions.push(request.headers.get("If-Match"));
        if (versions.length > 1) return HttpResponse.json({ ...noa, role: "admin", version: 5 });
        accounts({ ...noa, name: "Noa Bar-On", version: 4 });
        return refuse(412, { error: "PreconditionFailedError" });
      }),
    );
    const { person } = open(`/admin/users?user=${noa.id}`, admin);
    const dialog = await screen.findByRole("dialog", { name: "Edit Noa Bar" });
    await person.selectOptions(within(dialog).getByLabelText("Role"), "Administrator");
    await person.click(within(dialog).getByRole("button", { name: "Save changes" }));
    await waitFor(() => expect(versions).toEqual(['"3"', '"4"']));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  });

  it("the last administrator stays one: the server's words are shown", async () => {
    const self = anAccount({ id: admin.id, role: "admin" });
    accounts(self);
    server.use(
      http.patch(url(`/admin/users/${self.id}`), () =>
        refuse(409, { error: "ConflictError", message: "The last active administrator cannot be demoted." }),
      ),
    );
    const { person } = open(`/admin/users?user=${self.id}`, admin);
    const dialog = await screen.findByRole("dialog", { name: "Edit Noa Bar" });
    await person.selectOptions(within(dialog).getByLabelText("Role"), "User");
    await person.click(within(dialog).getByRole("button", { name: "Save changes" }));
    expect(await within(dialog).findByRole("alert")).toHaveTextContent(
      "The last active administrator cannot be demoted.",
    );
  });
});

describe("what can be done with a user", () => {
  it("R37 deleting starts on Cancel and asks for the name; a refusal is shown as the server says it", async () => {
    const noa = anAccount();
    accounts(noa);
    let deleted = 0;
    server.use(
      http.delete(url(`/admin/users/${noa.id}`), () => {
        deleted += 1;
        if (deleted === 1) return refuse(409, { error: "ConflictError", message: "You cannot delete yourself." });
        accounts();
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { person } = open("/admin/users", admin);
    await choose(person, "Noa Bar", "Delete…");
    const dialog = await screen.findByRole("alertdialog", { name: "Delete Noa Bar?" });
    expect(dialog).toHaveTextContent("Their chats are deleted for good. Usage and audit entries stay.");
    expect(within(dialog).getByRole("button", { name: "Cancel" })).toHaveFocus();
    const confirm = within(dialog).getByRole("button", { name: "Delete user" });
    expect(confirm).toBeDisabled();
    await person.type(within(dialog).getByLabelText("Type the name to confirm: Noa Bar"), "Noa Bar");
    await person.click(confirm);
    expect(await within(dialog).findByRole("alert")).toHaveTextContent("You cannot delete yourself.");
    await person.click(confirm);
    await waitFor(() => expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument());
    await waitFor(() => expect(screen.queryByRole("row", { name: /Noa Bar/ })).not.toBeInTheDocument());
  });

  it("R40 a password reset is confirmed first, then shows the new one once", async () => {
    const noa = anAccount();
    accounts(noa);
    server.use(
      http.post(url(`/admin/users/${noa.id}/password`), () =>
        HttpResponse.json({ temporary_password: "green-lamp-17" }),
      ),
    );
    const { person } = open("/admin/users", admin);
    await choose(person, "Noa Bar", "Reset password…");
    await person.click(await screen.findByRole("button", { name: "Reset password" }));
    const secret = await screen.findByRole("dialog", { name: "Temporary password for Noa Bar" });
    expect(secret).toHaveTextContent("green-lamp-17");
  });

  it("signs out everywhere and deactivates only after a question; activates at once", async () => {
    const noa = anAccount();
    const guy = anAccount({ name: "Guy Tal", is_active: false });
    accounts(noa, guy);
    const done: unknown[] = [];
    server.use(
      http.post(url(`/admin/users/${noa.id}/revoke-sessions`), () => {
        done.push("revoked");
        return new HttpResponse(null, { status: 204 });
      }),
      http.patch(url("/admin/users/:id"), async ({ request, params }) => {
        done.push([params.id, await request.json()]);
        return HttpResponse.json(noa);
      }),
    );
    const { person } = open("/admin/users", admin);
    await choose(person, "Noa Bar", "Sign out everywhere…");
    await person.click(await screen.findByRole("button", { name: "Sign out everywhere" }));
    await waitFor(() => expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument());
    await choose(person, "Noa Bar", "Deactivate…");
    await person.click(await screen.findByRole("button", { name: "Cancel" }));
    expect(done).toEqual(["revoked"]);
    await choose(person, "Noa Bar", "Deactivate…");
    await person.click(await screen.findByRole("button", { name: "Deactivate" }));
    await waitFor(() => expect(done).toEqual(["revoked", [noa.id, { is_active: false }]]));
    await waitFor(() => expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument());
    await choose(person, "Guy Tal", "Activate");
    await waitFor(() => expect(done.at(-1)).toEqual([guy.id, { is_active: true }]));
  });
});
