// The audit log: filters in the address, an entry field by field, the export of exactly what is filtered.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it, vi } from "vitest";
import type { AuditEntry } from "@/api/types";
import { anAccount, anAuditEntry, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";
import { edgeOfDay } from "./audit-api";
import { fieldChanges, objectName } from "./audit-changes";

const admin = aUser({ role: "admin" });
const noa = anAccount();

function log(...entries: AuditEntry[]) {
  const asked: URLSearchParams[] = [];
  server.use(
    http.get(url("/audit"), ({ request }) => {
      const query = new URL(request.url).searchParams;
      asked.push(query);
      return HttpResponse.json({ audit_logs: entries, total: entries.length });
    }),
    http.get(url("/audit/:id"), ({ params }) => {
      const entry = entries.find((each) => each.id === params.id);
      return entry ? HttpResponse.json(entry) : refuse(404, { error: "NotFoundError", request_id: "req-3" });
    }),
    http.get(url("/admin/users"), () => HttpResponse.json({ users: [noa], total: 1 })),
    http.get(url(`/admin/users/${noa.id}`), () => HttpResponse.json(noa)),
  );
  return asked;
}

describe("audit log", () => {
  it("shows who did what to which object, from where", async () => {
    log(
      anAuditEntry({ action: "assistant.update", resource_type: "assistant", new_values: { name: "Press Writer" } }),
      anAuditEntry({ action: "quota.alert", actor_id: null, actor_email: null, ip_address: null }),
    );
    open("/admin/audit-logs", admin);
    const row = await screen.findByRole("row", { name: /assistant\.update/ });
    for (const text of ["dana@example.com", "Press Writer", "10.0.4.7"]) expect(row).toHaveTextContent(text);
    expect(screen.getByRole("row", { name: /quota\.alert/ })).toHaveTextContent("the server");
  });

  it("R38 every filter goes to the address and to the server; days are this computer's", async () => {
    const asked = log(anAuditEntry());
    const { person, router } = open("/admin/audit-logs?from=2025-10-01&to=2025-10-02&page=2", admin);
    await screen.findByRole("option", { name: "user.update" });
    await person.selectOptions(screen.getByRole("combobox", { name: "Action" }), "user.update");
    await person.selectOptions(screen.getByRole("combobox", { name: "Object" }), "user");
    await person.type(screen.getByLabelText("Person"), "noa@example.com");
    await waitFor(() =>
      expect(Object.fromEntries(new URLSearchParams(router.state.location.search))).toEqual({
        from: "2025-10-01",
        to: "2025-10-02",
        person: noa.id,
        action: "user.update",
        object: "user",
      }),
    );
    await waitFor(() =>
      expect(Object.fromEntries(asked.at(-1) ?? [])).toEqual({
        actor_id: noa.id,
        action: "user.update",
        resource_type: "user",
        from: new Date(2025, 9, 1).toISOString(),
        to: new Date(new Date(2025, 9, 3).getTime() - 1).toISOString(),
        limit: "20",
        offset: "0",
      }),
    );
    expect(screen.getByLabelText("Person")).toHaveValue("noa@example.com");
  });

  it("an entry opens beside the list with every field as it was and as it is, in words", async () => {
    const entry = anAuditEntry({
      old_values: { role: "user", name: "Noa", key: "[redacted]" },
      new_values: { role: "manager", name: null, key: "[redacted]" },
    });
    log(entry);
    const { person, address } = open("/admin/audit-logs", admin);
    await person.click(await screen.findByRole("link", { name: /^Details of user\.update/ }));
    const sheet = await screen.findByRole("dialog", { name: "Details" });
    expect(address()).toBe(`/admin/audit-logs?entry=${entry.id}`);
    const role = (await within(sheet).findByText("role")).closest("div") as HTMLElement;
    expect(role).toHaveTextContent("wasusernowmanager");
    expect(within(role).getByText("user").tagName).toBe("DEL");
    expect((within(sheet).getByText("name").closest("div") as HTMLElement).textContent).toBe("namewasNoanownothing");
    expect(sheet).toHaveTextContent("2025-10-01 12:00:00 UTC");
    await person.keyboard("{Escape}");
    await waitFor(() => expect(address()).toBe("/admin/audit-logs"));
  });

  it("an address of an entry that is not there says so and names the request", async () => {
    log();
    open("/admin/audit-logs?entry=nobody", admin);
    const sheet = await screen.findByRole("dialog", { name: "Details" });
    expect(await within(sheet).findByRole("alert")).toHaveTextContent("req-3");
  });

  it("exports what is filtered as a file, fetched with the token", async () => {
    log(anAuditEntry());
    let authorization: string | null = "";
    let query = "";
    server.use(
      http.get(url("/audit"), ({ request }) => {
        if (!request.url.includes("format=csv")) return undefined;
        authorization = request.headers.get("Authorization");
        query = new URL(request.url).search;
        return new HttpResponse("time,who\r\n", { headers: { "Content-Type": "text/csv" } });
      }),
    );
    const made = vi.fn((_: Blob) => "blob:audit");
    vi.stubGlobal("URL", Object.assign(URL, { createObjectURL: made, revokeObjectURL: () => {} }));
    const clicked: HTMLAnchorElement[] = [];
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
      clicked.push(this);
    });
    const { person } = open("/admin/audit-logs?action=user.update", admin);
    await person.click(await screen.findByRole("button", { name: "Export CSV" }));
    await waitFor(() => expect(clicked).toHaveLength(1));
    expect(authorization).toBe("Bearer access-token");
    expect(query).toBe("?action=user.update&format=csv");
    expect(clicked[0]?.download).toBe("audit-log.csv");
    expect(await made.mock.calls[0]?.[0].text()).toBe("time,who\r\n");
  });

  it("a refused export says why", async () => {
    log(anAuditEntry());
    server.use(
      http.get(url("/audit"), ({ request }) =>
        request.url.includes("format=csv") ? refuse(503, { error: "ServiceUnavailableError" }) : undefined,
      ),
    );
    const { person } = open("/admin/audit-logs", admin);
    await person.click(await screen.findByRole("button", { name: "Export CSV" }));
    expect(await screen.findByText("The export failed. The server is not ready yet.")).toBeInTheDocument();
  });

  it("a period without entries offers the last 30 days", async () => {
    log();
    const { person, address } = open("/admin/audit-logs?from=2020-01-01&to=2020-01-02&action=user.update", admin);
    expect(await screen.findByText("No entries in this period")).toBeInTheDocument();
    await person.click(screen.getByRole("button", { name: "Show last 30 days" }));
    expect(address()).toMatch(/^\/admin\/audit-logs\?from=\d{4}-\d{2}-\d{2}$/);
  });
});

describe("reading an entry", () => {
  it("fields of both sides come once, empty ones not at all, objects as text", () => {
    const entry = anAuditEntry({
      old_values: { a: 1, b: null, c: "" },
      new_values: { a: 2, b: null, d: { e: [1] } },
    });
    expect(fieldChanges(entry)).toEqual([
      { field: "a", was: "1", now: "2" },
      { field: "d", was: null, now: JSON.stringify({ e: [1] }, null, 2) },
    ]);
  });

  it("the object is called by a name among its values, never by a secret, else by its id", () => {
    expect(objectName(anAuditEntry({ old_values: { name: "Old" }, new_values: { name: "New" } }))).toBe("New");
    const nameless = anAuditEntry({ old_values: null, new_values: { key: "[redacted]" }, resource_id: "12345678-9" });
    expect(objectName(nameless)).toBe(`user …${nameless.resource_id?.slice(-6)}`);
    expect(objectName(anAuditEntry({ old_values: null, new_values: null, resource_id: null }))).toBe("user");
  });

  it("a day that is no day filters nothing", () => {
    expect(edgeOfDay("", "start")).toBeUndefined();
    expect(edgeOfDay("2025-xx-01", "end")).toBeUndefined();
  });
});
