// The frame around the pages: greeting and asking, the 404 page, a page that breaks, a server that is away.
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { createMemoryRouter, RouterProvider } from "react-router";
import { describe, expect, it, vi } from "vitest";
import { greeting } from "@/features/dashboard/greeting";
import { t } from "@/i18n";
import { aConversation, anAssistant, aTokenPair, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { server, url } from "@/testing/server";
import { Boot } from "./boot";
import { Crash } from "./crash";
import { Providers } from "./providers";

const user = aUser();

describe("dashboard", () => {
  it("greets by the local hour", () => {
    expect([4, 5, 11, 12, 17, 18].map((hour) => greeting(hour, t))).toEqual([
      "Good evening",
      "Good morning",
      "Good morning",
      "Good afternoon",
      "Good afternoon",
      "Good evening",
    ]);
  });

  it("asks the picked assistant in a new chat", async () => {
    let asked: unknown;
    const writer = anAssistant();
    const lister = anAssistant({ name: "Media Lister" });
    server.use(
      http.get(url("/assistants"), () => HttpResponse.json({ assistants: [writer, lister], total: 2 })),
      http.get(url("/conversations"), () =>
        HttpResponse.json({ conversations: [aConversation({ title: "Q3 launch pitch" })], total: 1 }),
      ),
      http.post(url("/conversations"), async ({ request }) => {
        asked = await request.json();
        return HttpResponse.error();
      }),
    );
    const { person, router } = open("/", user);
    const main = within(await screen.findByRole("main"));
    await person.selectOptions(await main.findByLabelText("Assistant"), "Media Lister");
    expect(await main.findByRole("link", { name: /Q3 launch pitch/ })).toBeInTheDocument();
    await person.type(main.getByLabelText("Your message"), "Who covers wine?{Enter}");
    // The chat takes the question over and asks it at once.
    await waitFor(() => expect(asked).toEqual({ assistant_id: lister.id }));
    expect(router.state.location.pathname).toBe("/chat/new");
  });

  it("without assistants says who can make the first one", async () => {
    open("/", user);
    expect(await screen.findByText("An administrator has to create the first one.")).toBeInTheDocument();
    expect(screen.queryByLabelText("Your message")).not.toBeInTheDocument();
  });
});

describe("pages that are not there", () => {
  it("an unknown address is the 404 page, inside the frame", async () => {
    open("/no/such/page", user);
    expect(await screen.findByRole("heading", { name: "Page not found" })).toBeInTheDocument();
    expect(screen.getAllByRole("link", { name: "Assistants" }).length).toBeGreaterThan(0);
    expect(document.title).toBe("Page not found · AI-Across");
  });

  it("a page that breaks says so and offers its details", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const person = userEvent.setup();
    const router = createMemoryRouter([
      {
        path: "/",
        ErrorBoundary: Crash,
        Component: () => {
          throw new TypeError("boom");
        },
      },
    ]);
    render(
      <Providers>
        <RouterProvider router={router} />
      </Providers>,
    );
    expect(await screen.findByRole("heading", { name: "This page broke" })).toBeInTheDocument();
    await person.click(screen.getByRole("button", { name: "Copy details" }));
    expect(await screen.findByText("Copied.")).toBeInTheDocument();
    expect(await navigator.clipboard.readText()).toContain("TypeError: boom");
  });
});

describe("start", () => {
  it("waits for a server that is away and goes on when it is back", async () => {
    server.use(http.post(url("/users/refresh"), () => HttpResponse.error()));
    render(
      <Providers>
        <Boot>
          <p>The app</p>
        </Boot>
      </Providers>,
    );
    expect(await screen.findByRole("heading", { name: "AI-Across is restarting" })).toBeInTheDocument();
    server.use(http.post(url("/users/refresh"), () => HttpResponse.json(aTokenPair(user))));
    await userEvent.click(screen.getByRole("button", { name: "Try now" }));
    expect(await screen.findByText("The app")).toBeInTheDocument();
  });
});
