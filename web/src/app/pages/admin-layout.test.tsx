// The frame of the administrator's pages: who gets in, what the sidebar shows, and the word about an open connection.
import { screen, within } from "@testing-library/react";
import { http } from "msw";
import { describe, expect, it, vi } from "vitest";
import { aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

const pages = ["", "/users", "/api-keys", "/usage", "/settings", "/audit-logs", "/assistants"];

/** Everything an administrator's page would ask for; none of it may be asked. */
function watchAdminRequests() {
  const asked: string[] = [];
  const watch = ["/admin/*", "/api-keys*", "/audit*", "/quotas*", "/usage*"];
  server.use(
    ...watch.map((path) =>
      http.get(url(path), ({ request }) => {
        asked.push(request.url);
        return refuse(403, { error: "PermissionDeniedError" });
      }),
    ),
  );
  return asked;
}

describe("who gets in", () => {
  it.each(pages)("a person of role user opening /admin%s reads why not, and nothing is asked for", async (page) => {
    const asked = watchAdminRequests();
    open(`/admin${page}`, aUser());
    expect(await screen.findByRole("heading", { name: "Not for your role" })).toBeInTheDocument();
    expect(screen.queryByRole("navigation", { name: "Admin" })).not.toBeInTheDocument();
    expect(asked).toEqual([]);
  });

  it.each(["", "/users", "/api-keys", "/settings", "/audit-logs"])(
    "a manager opening /admin%s reads why not, and nothing is asked for",
    async (page) => {
      const asked = watchAdminRequests();
      open(`/admin${page}`, aUser({ role: "manager" }));
      expect(await screen.findByRole("heading", { name: "Not for your role" })).toBeInTheDocument();
      expect(asked).toEqual([]);
    },
  );

  it("the sidebar leads managers to what they may see, and others nowhere", async () => {
    const { unmount } = open("/", aUser({ role: "manager" }));
    const [first] = await screen.findAllByRole("link", { name: "Admin" });
    expect(first).toHaveAttribute("href", "/admin/usage");
    unmount();
    open("/", aUser());
    expect((await screen.findAllByRole("link", { name: "Assistants" })).length).toBeGreaterThan(0);
    expect(screen.queryByRole("link", { name: "Admin" })).not.toBeInTheDocument();
  });
});

describe("the sidebar", () => {
  it("shows the administrator's places instead of the chats", async () => {
    watchAdminRequests();
    open("/admin/users", aUser({ role: "admin" }));
    const [nav] = await screen.findAllByRole("navigation", { name: "Admin" });
    const links = within(nav as HTMLElement).getAllByRole("link");
    expect(links.map((link) => [link.textContent, link.getAttribute("href")])).toEqual([
      ["Overview", "/admin"],
      ["Users", "/admin/users"],
      ["Assistants", "/assistants"],
      ["API keys", "/admin/api-keys"],
      ["Providers", "/admin/providers"],
      ["Queue", "/admin/queue"],
      ["Usage and quotas", "/admin/usage"],
      ["System settings", "/admin/settings"],
      ["Audit log", "/admin/audit-logs"],
      ["Leave admin", "/"],
    ]);
    expect(within(nav as HTMLElement).getByRole("link", { name: "Users" })).toHaveAttribute("aria-current", "page");
    expect(screen.queryByRole("navigation", { name: "Main" })).not.toBeInTheDocument();
  });

  it("shows a manager only usage and assistants", async () => {
    watchAdminRequests();
    open("/admin/usage", aUser({ role: "manager" }));
    const [nav] = await screen.findAllByRole("navigation", { name: "Admin" });
    const links = within(nav as HTMLElement).getAllByRole("link");
    expect(links.map((link) => link.textContent)).toEqual(["Assistants", "Usage and quotas", "Leave admin"]);
  });
});

describe("an open connection", () => {
  it("is named on the administrator's pages, and only where the browser calls it insecure", async () => {
    watchAdminRequests();
    vi.stubGlobal("isSecureContext", false);
    const { unmount } = open("/admin/users", aUser({ role: "admin" }));
    expect(await screen.findByText("This connection is not encrypted")).toBeInTheDocument();
    unmount();
    vi.stubGlobal("isSecureContext", true);
    open("/admin/users", aUser({ role: "admin" }));
    expect(await screen.findByRole("heading", { name: "Users" })).toBeInTheDocument();
    expect(screen.queryByText("This connection is not encrypted")).not.toBeInTheDocument();
    vi.unstubAllGlobals();
  });
});
