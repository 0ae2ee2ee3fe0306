// Getting in: signing in, setting up, and signing in again in place.
import { screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import { signInAgain, useSession } from "@/api/session";
import { aTokenPair, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

const dana = aUser();

async function fillIn(person: ReturnType<typeof open>["person"], password = "correct horse battery") {
  await person.type(await screen.findByLabelText("Email"), "dana@example.com");
  await person.type(screen.getByLabelText("Password"), password);
  await person.click(screen.getByRole("button", { name: "Sign in" }));
}

describe("sign-in", () => {
  it("a wrong password says so without saying which part was wrong, and focus goes to the email", async () => {
    server.use(http.post(url("/users/login"), () => refuse(401, { error: "AuthenticationError" })));
    const { person } = open("/login", null);
    await fillIn(person);
    expect(await screen.findByRole("alert")).toHaveTextContent("Email or password is not right.");
    expect(screen.getByLabelText("Email")).toHaveFocus();
    expect(screen.getByLabelText("Password")).toHaveValue("correct horse battery");
  });

  it("too many tries name the wait in minutes", async () => {
    server.use(
      http.post(url("/users/login"), () => refuse(429, { error: "RateLimitError" }, { "Retry-After": "130" })),
    );
    const { person } = open("/login", null);
    await fillIn(person);
    expect(await screen.findByRole("alert")).toHaveTextContent("Too many tries. Wait 3 min.");
  });

  it("empty fields are named and nothing is sent", async () => {
    const { person } = open("/login", null);
    await person.click(await screen.findByRole("button", { name: "Sign in" }));
    expect(screen.getByLabelText("Email")).toHaveAccessibleDescription("Fill this in.");
    expect(screen.getByLabelText("Email")).toHaveFocus();
  });

  it("signing in asks for a cookie session and opens the page one came for", async () => {
    let sent: unknown;
    server.use(
      http.post(url("/users/login"), async ({ request }) => {
        sent = await request.json();
        return HttpResponse.json(aTokenPair(dana));
      }),
    );
    const { person, address } = open("/assistants", null);
    await waitFor(() => expect(address()).toBe("/login?next=%2Fassistants"));
    await fillIn(person);
    expect(await screen.findByRole("heading", { name: "Assistants" })).toBeInTheDocument();
    expect(sent).toEqual({
      email: "dana@example.com",
      password: "correct horse battery",
      session_mode: "cookie",
    });
  });

  it.each(["//evil.example/x", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])(
    "never leads to another site: %s",
    async (next) => {
      const { address } = open(`/login?next=${encodeURIComponent(next)}`, dana);
      await waitFor(() => expect(address()).toBe("/"));
    },
  );

  it("on a fresh server it leads to the set-up", async () => {
    server.use(http.get(url("/setup"), () => HttpResponse.json({ needed: true })));
    open("/login", null);
    expect(await screen.findByRole("heading", { name: "Set up AI-Across" })).toBeInTheDocument();
  });
});

describe("set-up", () => {
  const needed = http.get(url("/setup"), () => HttpResponse.json({ needed: true }));

  it("makes the first account with the link's token, which leaves the address at once", async () => {
    let sent: unknown;
    server.use(
      needed,
      http.post(url("/setup"), async ({ request }) => {
        sent = await request.json();
        return HttpResponse.json(aTokenPair({ ...dana, role: "admin" }), { status: 201 });
      }),
    );
    const { person, address } = open("/setup?token=s3cret", null);
    await person.type(await screen.findByLabelText("Your name"), "Dana Levi");
    expect(address()).toBe("/setup");
    expect(screen.queryByLabelText("Set-up token")).not.toBeInTheDocument();
    await person.type(screen.getByLabelText("Email"), "dana@example.com");
    await person.type(screen.getByLabelText("Password"), "three words in a row");
    await person.click(screen.getByRole("button", { name: "Create account" }));
    expect(await screen.findByRole("heading", { name: /^Good / })).toBeInTheDocument();
    expect(sent).toEqual({
      token: "s3cret",
      name: "Dana Levi",
      email: "dana@example.com",
      password: "three words in a row",
      session_mode: "cookie",
    });
  });

  it("shows the server's complaint at its field", async () => {
    server.use(
      needed,
      http.post(url("/setup"), () =>
        refuse(422, {
          error: "ValidationError",
          details: [{ field: "password", message: "This password is on the list of common ones." }],
        }),
      ),
    );
    const { person } = open("/setup?token=x", null);
    await person.type(await screen.findByLabelText("Your name"), "Dana");
    await person.type(screen.getByLabelText("Email"), "dana@example.com");
    await person.type(screen.getByLabelText("Password"), "password1234");
    await person.click(screen.getByRole("button", { name: "Create account" }));
    const field = screen.getByLabelText("Password");
    await waitFor(() => expect(field).toHaveAccessibleDescription(/on the list of common ones/));
    expect(field).toHaveFocus();
  });

  it("a wrong token can be corrected", async () => {
    server.use(
      needed,
      http.post(url("/setup"), () => refuse(401, { error: "AuthenticationError" })),
    );
    const { person } = open("/setup?token=old", null);
    await person.type(await screen.findByLabelText("Your name"), "Dana");
    await person.type(screen.getByLabelText("Email"), "dana@example.com");
    await person.type(screen.getByLabelText("Password"), "three words in a row");
    await person.click(screen.getByRole("button", { name: "Create account" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("This set-up link is not right");
    expect(screen.getByLabelText("Set-up token")).toHaveValue("old");
  });

  it("is closed once an account exists", async () => {
    open("/setup?token=x", null);
    expect(await screen.findByText("This server is already set up.")).toBeInTheDocument();
    expect(screen.queryByLabelText("Password")).not.toBeInTheDocument();
  });
});

describe("R17 a session that ends while a page is open", () => {
  it("is renewed in place, by the same person", async () => {
    server.use(http.post(url("/users/login"), () => HttpResponse.json(aTokenPair(dana))));
    const { person, address } = open("/assistants", dana);
    await screen.findByRole("heading", { name: "Assistants" });
    const goesOn = signInAgain();
    const dialog = await screen.findByRole("dialog", { name: "Sign in again" });
    expect(dialog).toHaveTextContent("Your text is safe.");
    expect(screen.getByLabelText("Email")).toHaveAttribute("readonly");
    await person.type(screen.getByLabelText("Password"), "correct horse battery");
    await person.click(screen.getByRole("button", { name: "Sign in" }));
    await goesOn;
    await waitFor(() => expect(dialog).not.toBeInTheDocument());
    expect(address()).toBe("/assistants");
    expect(useSession.getState().status).toBe("signed-in");
  });
});
