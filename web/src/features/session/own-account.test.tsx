// What people do to their own account: name, password, sessions; and the change of password that comes before all else.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import { api } from "@/api/client";
import { signInAgain, useSession } from "@/api/session";
import type { DeviceSession, User } from "@/api/types";
import { aTokenPair, aUser, uuid } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";
import { deviceOf } from "./device-name";

const dana = aUser();
const CHROME =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";

type Person = ReturnType<typeof open>["person"];

async function choosePassword(person: Person) {
  await person.type(await screen.findByLabelText("Present password"), "the temporary one");
  await person.type(screen.getByLabelText("New password"), "three words in a row");
  await person.click(screen.getByRole("button", { name: "Change password" }));
}

describe("profile", () => {
  it("R35 saves the name and shows it everywhere; the e-mail cannot be changed here", async () => {
    let sent: unknown;
    server.use(
      http.patch(url("/users/me"), async ({ request }) => {
        sent = await request.json();
        return HttpResponse.json({ ...dana, name: "Dana Cohen" } satisfies User);
      }),
    );
    const { person } = open("/settings/profile", dana);
    const name = await screen.findByLabelText("Name");
    expect(screen.getByLabelText("Email")).toHaveAttribute("readonly");
    await person.clear(name);
    await person.click(screen.getByRole("button", { name: "Save changes" }));
    expect(name).toHaveAccessibleDescription("Fill this in.");
    await person.type(name, "Dana Cohen");
    await person.click(screen.getByRole("button", { name: "Save changes" }));
    expect(await screen.findByRole("button", { name: /Dana Cohen/ })).toBeInTheDocument();
    expect(sent).toEqual({ name: "Dana Cohen" });
  });

  it("a wrong present password is said at its field; the right one closes the dialog", async () => {
    server.use(http.post(url("/users/password"), () => refuse(403, { error: "PermissionDeniedError" })));
    const { person } = open("/settings/profile", dana);
    await person.click(await screen.findByRole("button", { name: "Change password…" }));
    const dialog = await screen.findByRole("dialog", { name: "Change password" });
    await choosePassword(person);
    const present = within(dialog).getByLabelText("Present password");
    await waitFor(() => expect(present).toHaveAccessibleDescription("This is not your present password."));
    expect(present).toHaveFocus();
    server.use(http.post(url("/users/password"), () => new HttpResponse(null, { status: 204 })));
    await person.click(within(dialog).getByRole("button", { name: "Change password" }));
    await waitFor(() => expect(dialog).not.toBeInTheDocument());
    expect(useSession.getState().status).toBe("signed-in");
  });
});

describe("a password that must be changed", () => {
  const flagged = aUser({ must_change_password: true });

  it("comes before everything else, and then leads to where one wanted to go", async () => {
    server.use(http.post(url("/users/password"), () => new HttpResponse(null, { status: 204 })));
    const { person, address, router } = open("/assistants", flagged);
    expect(await screen.findByRole("heading", { name: "Choose a new password" })).toBeInTheDocument();
    expect(screen.queryByRole("navigation")).not.toBeInTheDocument();
    await router.navigate("/settings/profile");
    await waitFor(() => expect(address()).toBe("/password?next=%2Fsettings%2Fprofile"));
    await router.navigate("/assistants");
    await waitFor(() => expect(address()).toBe("/password?next=%2Fassistants"));
    await choosePassword(person);
    expect(await screen.findByRole("heading", { name: "Assistants" })).toBeInTheDocument();
    expect(address()).toBe("/assistants");
  });

  it("the server's rules are said at the new password", async () => {
    server.use(
      http.post(url("/users/password"), () =>
        refuse(422, {
          error: "ValidationError",
          details: [{ field: "new_password", message: "This password is on the list of common ones." }],
        }),
      ),
    );
    const { person } = open("/", flagged);
    await choosePassword(person);
    const field = screen.getByLabelText("New password");
    await waitFor(() => expect(field).toHaveAccessibleDescription(/list of common ones/));
  });

  it("also when the server asks for it in the middle of a session", async () => {
    server.use(http.get(url("/models"), () => refuse(403, { error: "PasswordChangeRequiredError" })));
    const { address } = open("/settings/profile", dana);
    await screen.findByLabelText("Name");
    await expect(api.get("/models")).rejects.toMatchObject({ code: "PasswordChangeRequiredError" });
    expect(await screen.findByRole("heading", { name: "Choose a new password" })).toBeInTheDocument();
    expect(address()).toBe("/password?next=%2Fsettings%2Fprofile");
  });
});

describe("R17 a session that ends while a page is open", () => {
  const other = aUser({ name: "Noa", email: "noa@example.com" });

  it("is not taken over by another person, whose sign-in is undone", async () => {
    let undone: string | null = null;
    server.use(
      http.post(url("/users/login"), () => HttpResponse.json(aTokenPair(other, "token of the other"))),
      http.post(url("/users/logout"), ({ request }) => {
        undone = request.headers.get("Authorization");
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { person } = open("/settings/profile", dana);
    await screen.findByLabelText("Name");
    const goesOn = signInAgain();
    const dialog = await screen.findByRole("dialog", { name: "Sign in again" });
    await person.type(within(dialog).getByLabelText("Password"), "correct horse battery");
    await person.click(within(dialog).getByRole("button", { name: "Sign in" }));
    expect(await within(dialog).findByRole("alert")).toHaveTextContent("Another person's account.");
    expect(undone).toBe("Bearer token of the other");
    expect(useSession.getState()).toMatchObject({ status: "expired", user: { id: dana.id } });
    // The right person still can.
    server.use(http.post(url("/users/login"), () => HttpResponse.json(aTokenPair(dana))));
    await person.click(within(dialog).getByRole("button", { name: "Sign in" }));
    await goesOn;
    await waitFor(() => expect(dialog).not.toBeInTheDocument());
  });

  it("signing out instead leads to the sign-in page", async () => {
    const { person, address } = open("/settings/profile", dana);
    await screen.findByLabelText("Name");
    const failure = expect(signInAgain()).rejects.toMatchObject({ status: 401 });
    await person.click(await screen.findByRole("button", { name: "Sign out instead" }));
    await failure;
    expect(await screen.findByRole("heading", { name: "Sign in to your desk" })).toBeInTheDocument();
    expect(address()).toBe("/login");
  });
});

describe("sessions", () => {
  const session = (fields: Partial<DeviceSession>): DeviceSession => ({
    id: uuid(),
    created_at: "2025-10-01T12:00:00.000Z",
    last_used_at: "2025-10-01T12:00:00.000Z",
    ip_address: "10.0.4.7",
    user_agent: CHROME,
    is_current: false,
    ...fields,
  });

  it("lists the places in words and ends one of them", async () => {
    const here = session({ is_current: true });
    const phone = session({ user_agent: IPHONE });
    let sessions = [here, phone];
    server.use(
      http.get(url("/users/sessions"), () => HttpResponse.json({ sessions, total: sessions.length })),
      http.delete(url("/users/sessions/:id"), ({ params }) => {
        sessions = sessions.filter((each) => each.id !== params.id);
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { person } = open("/settings/sessions", dana);
    const list = await screen.findByRole("list", { name: "Places where you are signed in" });
    const [first, second] = within(list).getAllByRole("listitem");
    expect(first).toHaveTextContent("Chrome on WindowsThis device");
    expect(within(first as HTMLElement).queryByRole("button")).not.toBeInTheDocument();
    expect(second).toHaveTextContent("Safari on iPhone");
    await person.click(within(list).getByRole("button", { name: "Sign out: Safari on iPhone" }));
    await waitFor(() => expect(within(list).getAllByRole("listitem")).toHaveLength(1));
  });

  it("R37 signing out everywhere asks first, starts at Cancel, and leads to the sign-in page", async () => {
    let sent: unknown;
    server.use(
      http.get(url("/users/sessions"), () =>
        HttpResponse.json({ sessions: [session({ is_current: true })], total: 1 }),
      ),
      http.post(url("/users/logout"), async ({ request }) => {
        sent = await request.json();
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { person } = open("/settings/sessions", dana);
    await person.click(await screen.findByRole("button", { name: "Sign out everywhere" }));
    const dialog = await screen.findByRole("alertdialog", { name: "Sign out everywhere?" });
    expect(within(dialog).getByRole("button", { name: "Cancel" })).toHaveFocus();
    await person.click(within(dialog).getByRole("button", { name: "Sign out everywhere" }));
    expect(await screen.findByRole("heading", { name: "Sign in to your desk" })).toBeInTheDocument();
    expect(sent).toEqual({ all: true });
  });

  it.each([
    [CHROME, "Chrome", "Windows"],
    [IPHONE, "Safari", "iPhone"],
    ["Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox", "Linux"],
    [`${CHROME} Edg/141.0.0.0`, "Edge", "Windows"],
  ])("knows %s", (userAgent, browser, system) => {
    expect(deviceOf(userAgent)).toEqual({ browser, system });
  });

  it("does not guess at programs", () => {
    expect(deviceOf("curl/8.5.0")).toBeNull();
    expect(deviceOf(null)).toBeNull();
  });
});
