// The menu at the foot of the sidebar.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import { useSession } from "@/api/session";
import { userKey } from "@/lib/user-storage";
import { aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

const dana = aUser({ role: "manager" });

async function openMenu(path = "/assistants") {
  const view = open(path, dana);
  await view.person.click(await screen.findByRole("button", { name: /Dana Levi/ }));
  return { ...view, menu: await screen.findByRole("menu") };
}

describe("account menu", () => {
  it("names the person and the role", async () => {
    const { menu } = await openMenu();
    expect(within(menu).getByText("dana@example.com")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: /Dana Levi/ })).toHaveTextContent("Manager");
  });

  it("leads to the settings and to the own usage", async () => {
    const { person, menu, address } = await openMenu();
    await person.click(within(menu).getByRole("menuitem", { name: "Settings" }));
    expect(await screen.findByLabelText("Name")).toHaveValue("Dana Levi");
    expect(address()).toBe("/settings/profile");
    await person.click(screen.getByRole("button", { name: /Dana Levi/ }));
    await person.click(await screen.findByRole("menuitem", { name: "Usage" }));
    expect(await screen.findByText("No entries in this period")).toBeInTheDocument();
    expect(address()).toBe("/settings/usage");
  });

  it("R18 signing out removes what this browser kept for the person, and nobody else's", async () => {
    server.use(http.post(url("/users/logout"), () => new HttpResponse(null, { status: 204 })));
    localStorage.setItem(userKey(dana.id, "drafts"), "secret");
    localStorage.setItem(userKey("someone-else", "drafts"), "theirs");
    const { person, menu, address } = await openMenu();
    await person.click(within(menu).getByRole("menuitem", { name: "Sign out" }));
    expect(await screen.findByRole("heading", { name: "Sign in to your desk" })).toBeInTheDocument();
    // The next person does not land on this one's page.
    expect(address()).toBe("/login");
    expect(localStorage.getItem(userKey(dana.id, "drafts"))).toBeNull();
    expect(localStorage.getItem(userKey("someone-else", "drafts"))).toBe("theirs");
    expect(useSession.getState().user).toBeNull();
  });

  it("a sign-out that did not arrive is said, and the session stays", async () => {
    server.use(http.post(url("/users/logout"), () => refuse(503, { error: "ServiceUnavailableError" })));
    const { person, menu } = await openMenu();
    await person.click(within(menu).getByRole("menuitem", { name: "Sign out" }));
    // The toast shows it and says it once more to screen readers.
    const said = await screen.findAllByText("Sign-out did not reach the server. Try again.");
    expect(said.length).toBeGreaterThan(0);
    await waitFor(() => expect(useSession.getState().user).not.toBeNull());
  });
});
