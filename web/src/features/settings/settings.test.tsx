// A person's own settings: each choice has its effect and is remembered; figures, meter and notices.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { Notice, OwnUsage } from "@/api/types";
import { useUi } from "@/lib/ui-store";
import { anAssistant, aUser, uuid } from "@/testing/factories";
import { open } from "@/testing/render";
import { noUsage, refuse, server, url } from "@/testing/server";

const dana = aUser();
const root = document.documentElement;

/** What `public/theme.js` reads before the first paint. */
const stored = () => (JSON.parse(localStorage.getItem("ai-across:ui") ?? "{}") as { state: object }).state;

function usageIs(usage: Partial<OwnUsage>) {
  return http.get(url("/users/usage"), () => HttpResponse.json({ ...noUsage, ...usage }));
}

describe("appearance", () => {
  it("switches the theme at once and remembers it for the next start", async () => {
    const { person } = open("/settings/appearance", dana);
    await person.click(await screen.findByRole("radio", { name: "Dark" }));
    expect(root).toHaveClass("dark");
    expect(stored()).toMatchObject({ theme: "dark" });
    await person.click(screen.getByRole("radio", { name: "Light" }));
    expect(root).not.toHaveClass("dark");
  });

  it("I1 switches to Hebrew, right to left, and back; the words of the open page come too", async () => {
    const { person } = open("/settings/appearance", dana);
    await person.selectOptions(await screen.findByLabelText("Language"), "עברית");
    expect(await screen.findByRole("heading", { name: "הגדרות" })).toBeInTheDocument();
    expect(root).toHaveAttribute("dir", "rtl");
    await person.selectOptions(screen.getByLabelText("שפה"), "English");
    expect(await screen.findByRole("heading", { name: "Settings" })).toBeInTheDocument();
    expect(root).toHaveAttribute("dir", "ltr");
  });

  it("makes the text larger and smaller, and stops at the ends", async () => {
    const { person } = open("/settings/appearance", dana);
    const larger = await screen.findByRole("button", { name: "Larger text" });
    await person.click(larger);
    expect(root.style.fontSize).toBe("110%");
    expect(stored()).toMatchObject({ textSize: 110 });
    await person.click(larger);
    await person.click(larger);
    await person.click(larger);
    expect(root.style.fontSize).toBe("150%");
    expect(larger).toHaveAttribute("aria-disabled", "true");
    expect(larger).toHaveFocus();
  });

  it("draws everything closer together", async () => {
    const { person } = open("/settings/appearance", dana);
    await person.click(await screen.findByRole("radio", { name: "Compact" }));
    expect(root).toHaveAttribute("data-compact");
    expect(stored()).toMatchObject({ density: "compact" });
  });
});

describe("chat", () => {
  it("a new chat begins with the default assistant of this person", async () => {
    const [writer, lister] = [anAssistant(), anAssistant({ name: "Media Lister" })];
    server.use(http.get(url("/assistants"), () => HttpResponse.json({ assistants: [writer, lister], total: 2 })));
    const { person, router } = open("/settings/chat", dana);
    const choice = await screen.findByLabelText("Default assistant");
    await waitFor(() => expect(choice).toBeEnabled());
    await person.selectOptions(choice, "Media Lister");
    await router.navigate("/chat/new");
    expect(await screen.findByRole("radio", { name: "Media Lister" })).toBeChecked();
    await router.navigate("/");
    expect(await screen.findByLabelText("Assistant")).toHaveDisplayValue("Media Lister");
    expect(useUi.getState().defaultAssistants).toEqual({ [dana.id]: lister.id });
  });

  it("R15 Enter makes a new line for whoever chose so, and the dashboard's box does the same", async () => {
    server.use(http.get(url("/assistants"), () => HttpResponse.json({ assistants: [anAssistant()], total: 1 })));
    const { person, router, address } = open("/settings/chat", dana);
    await person.click(await screen.findByRole("radio", { name: "Makes a new line" }));
    await router.navigate("/");
    const box = await screen.findByLabelText("Your message");
    await person.type(box, "one{Enter}two");
    expect(box).toHaveValue("one\ntwo");
    expect(address()).toBe("/");
    await router.navigate("/chat/new");
    const composer = await screen.findByLabelText("Message Press Writer");
    await person.type(composer, "three{Enter}four");
    expect(composer).toHaveValue("three\nfour");
  });
});

describe("usage", () => {
  const usage: Partial<OwnUsage> = {
    today: { requests: 3, tokens: 31_200, cost_usd: 1.2 },
    month: { requests: 40, tokens: 500_000, cost_usd: 18.4 },
    limits: { ...noUsage.limits, daily_cost_limit: 5, monthly_cost_limit: 60 },
    remaining: { ...noUsage.remaining, daily_cost_limit: 3.8, monthly_cost_limit: 38.2 },
    scopes: { ...noUsage.scopes, daily_cost_limit: "user", monthly_cost_limit: "role" },
    by_day: [
      { date: "2025-09-30", requests: 4, tokens: 10, cost_usd: 2 },
      { date: "2025-10-01", requests: 3, tokens: 31_200, cost_usd: 1.2 },
    ],
  };

  it("shows today and the month against their limits, and the days as chart and as table", async () => {
    server.use(usageIs(usage));
    const { person } = open("/settings/usage", dana);
    const main = within(await screen.findByRole("main"));
    expect(await main.findByText("$1.20 of $5")).toBeInTheDocument();
    // The role has used more of its month than this person has.
    expect(main.getByText("$18.40")).toBeInTheDocument();
    expect(main.getByText("$21.80 of $60")).toHaveTextContent("shared by your role");
    expect(main.getByRole("img")).toHaveAccessibleName(/\$3\.20 in all, most on Tuesday, September 30 with \$2\.00/);
    const slider = main.getByRole("slider", { name: "Day to read" });
    expect(slider).toHaveAttribute("aria-valuetext", "Wednesday, October 1: $1.20");
    await person.click(main.getByRole("button", { name: "View as table" }));
    expect(main.getByRole("row", { name: /September 30 \$2\.00/ })).toBeInTheDocument();
  });

  it("a failure names its code and can be tried again", async () => {
    server.use(http.get(url("/users/usage"), () => refuse(500, { error: "InternalError", request_id: "r-7" })));
    const { person } = open("/settings/usage", dana);
    expect(await screen.findByText("r-7")).toBeInTheDocument();
    server.use(usageIs(usage));
    await person.click(screen.getByRole("button", { name: "Try again" }));
    const main = within(screen.getByRole("main"));
    expect(await main.findByText("$1.20 of $5")).toBeInTheDocument();
  });

  it("the sidebar shows the limit nearest to its end, and nothing where there is none", async () => {
    server.use(usageIs(usage));
    const view = open("/", dana);
    expect(await screen.findByRole("link", { name: "$21.80 of $60 this month" })).toBeInTheDocument();
    view.unmount();
  });

  it("from 80 percent on it warns, once a day also by a toast", async () => {
    server.use(
      usageIs({ ...usage, remaining: { ...noUsage.remaining, daily_cost_limit: 0.8, monthly_cost_limit: 38.2 } }),
    );
    const { unmount } = open("/", dana);
    expect(
      await screen.findByRole("link", { name: /\$4\.20 of \$5 today.*84 % of today's budget used\./ }),
    ).toBeVisible();
    await waitFor(() => expect(screen.getAllByText("84 % of today's budget used.").length).toBeGreaterThan(1));
    expect(localStorage.getItem(`ai-across:${dana.id}:usage-warned`)).not.toBeNull();
    unmount();
  });
});

describe("notices", () => {
  const notice = (fields: Partial<Notice>): Notice => ({
    id: uuid(),
    kind: "quota.alert",
    level: "warning",
    message: "A quota is nearly used up.",
    details: {},
    created_at: new Date().toISOString(),
    ...fields,
  });

  it("stand above the page until they are dismissed", async () => {
    const known = notice({
      details: {
        scope: "user",
        scope_id: dana.id,
        scope_name: dana.name,
        limit: "monthly_cost_limit",
        amount: 60,
        used: 50.4,
        resets_at: "2025-11-01T00:00:00.000Z",
      },
    });
    const unknown = notice({ kind: "backup.failed", level: "error", message: "The backup of last night failed." });
    const dismissed: string[] = [];
    server.use(
      http.get(url("/notices"), () => HttpResponse.json({ notices: [known, unknown], total: 2 })),
      http.delete(url("/notices/:id"), ({ params }) => {
        dismissed.push(String(params.id));
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { person } = open("/", dana);
    const region = await screen.findByRole("region", { name: "Notices" });
    expect(region).toHaveTextContent("84 % of your budget for this month is used. It starts again on November 1.");
    expect(region).toHaveTextContent("The backup of last night failed.");
    await person.click(within(region).getAllByRole("button", { name: "Dismiss" })[0] as HTMLElement);
    await waitFor(() => expect(dismissed).toEqual([known.id]));
    expect(region).not.toHaveTextContent("84 %");
  });

  it("R36 one that the server did not hear dismissed comes back", async () => {
    server.use(
      http.get(url("/notices"), () => HttpResponse.json({ notices: [notice({ kind: "other" })], total: 1 })),
      http.delete(url("/notices/:id"), () => refuse(503, { error: "ServiceUnavailableError" })),
    );
    const { person } = open("/", dana);
    await person.click(await screen.findByRole("button", { name: "Dismiss" }));
    expect((await screen.findAllByText("The notice could not be dismissed.")).length).toBeGreaterThan(0);
    expect(await screen.findByText("A quota is nearly used up.")).toBeInTheDocument();
  });
});
