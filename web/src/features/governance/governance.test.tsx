// The administrator's figures, usage and quotas.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { AdminStats, ProviderStatus, Quota, UsageGroup } from "@/api/types";
import { aUser, uuid } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";
import { costByModel, daysBetween } from "./series";

const admin = aUser({ role: "admin" });
const manager = aUser({ role: "manager" });
const MOMENT = "2025-10-01T12:00:00.000Z";

const stats: AdminStats = {
  users: { total: 52, active: 37 },
  assistants: { total: 8, deleted: 1 },
  conversations: 900,
  messages_today: 318,
  files: { by_status: { ready: 40, error: 2 } },
  tokens_today: 1_000_000,
  cost_today: 42.1,
  cost_month: 812,
  provider_keys: { active: 2, failing: 1 },
  top_assistants: [],
  top_models: [],
  generated_at: MOMENT,
};

function group(fields: Partial<UsageGroup>): UsageGroup {
  return {
    key: "2025-10-01",
    label: null,
    split: null,
    requests: 10,
    prompt_tokens: 1000,
    completion_tokens: 500,
    total_tokens: 1500,
    cost_usd: 1,
    ...fields,
  };
}

function aQuota(fields: Partial<Quota> = {}): Quota {
  return {
    id: uuid(),
    scope: "global",
    scope_id: null,
    scope_name: null,
    daily_cost_limit: null,
    monthly_cost_limit: 1500,
    daily_token_limit: null,
    monthly_token_limit: null,
    requests_per_min: null,
    requests_per_hour: null,
    alert_threshold: 80,
    current: {
      daily_cost: 42,
      monthly_cost: 812,
      daily_tokens: 0,
      monthly_tokens: 0,
      reserved_cost: 0,
      reserved_tokens: 0,
    },
    version: 3,
    created_at: MOMENT,
    updated_at: MOMENT,
    ...fields,
  };
}

/** Answers the summary by its grouping and keeps what was asked. */
function summaries(groups: Readonly<Record<string, readonly UsageGroup[]>>, asked: URLSearchParams[] = []) {
  return http.get(url("/usage/summary"), ({ request }) => {
    const query = new URL(request.url).searchParams;
    asked.push(query);
    const found = groups[query.get("group_by") ?? ""] ?? [];
    return HttpResponse.json({ groups: found, total: found.length });
  });
}

function quotasAre(...quotas: Quota[]) {
  return http.get(url("/quotas"), () => HttpResponse.json({ quotas, total: quotas.length }));
}

function aProvider(fields: Partial<ProviderStatus> = {}): ProviderStatus {
  return {
    provider: "anthropic",
    key_name: "Main",
    key_id: uuid(),
    calls: 0,
    last_used_at: null,
    source: "key",
    is_used: true,
    models: 12,
    last_success_at: MOMENT,
    last_error: null,
    last_error_at: null,
    latency_ms: null,
    breaker: "closed",
    retry_at: null,
    paused_until: null,
    ...fields,
  };
}

function providersAre(...providers: ProviderStatus[]) {
  return http.get(url("/admin/providers"), () => HttpResponse.json({ providers, total: providers.length }));
}

describe("provider status", () => {
  it("says in words how each one fares, and reads again on request", async () => {
    const soon = new Date(Date.now() + 60_000).toISOString();
    server.use(
      providersAre(
        aProvider({ latency_ms: 412.4 }),
        aProvider({
          provider: "openai",
          key_name: "Backup",
          breaker: "open",
          retry_at: soon,
          last_error: "overloaded",
        }),
        aProvider({ provider: "google", key_name: "Paused", paused_until: soon }),
        aProvider({ provider: "openrouter", source: "configuration", key_id: null, breaker: "half_open" }),
        aProvider({ provider: "custom", key_name: "House models", is_used: false }),
        aProvider({ provider: "offline", source: "built_in", key_id: null, last_success_at: null }),
      ),
    );
    const { person } = open("/admin/providers", admin);
    const table = await screen.findByRole("table", { name: "Provider status" });
    const row = (name: RegExp) => within(table).getByRole("row", { name });
    expect(row(/^Anthropic ?Main Working 12 412 ms/)).toBeInTheDocument();
    expect(row(/^OpenAI ?Backup Passed over until \d\d:\d\d.*OpenAI is overloaded\./)).toBeInTheDocument();
    expect(row(/^Google ?Paused Paused until \d\d:\d\d/)).toBeInTheDocument();
    expect(row(/^OpenRouter ?from the configuration On trial/)).toBeInTheDocument();
    expect(row(/^Compatible server ?House models In reserve/)).toBeInTheDocument();
    expect(row(/^Answers without a model ?built in Not asked yet/)).toBeInTheDocument();
    server.use(providersAre(aProvider({ key_name: "Only one" })));
    await person.click(screen.getByRole("button", { name: "Read the states again" }));
    expect(await screen.findByRole("row", { name: /^Anthropic ?Only one/ })).toBeInTheDocument();
    expect(screen.queryByText("House models")).toBeNull();
  });

  it("leads to the keys when there is nothing, and to another try when it failed", async () => {
    server.use(http.get(url("/admin/providers"), () => refuse(500, { error: "InternalError", request_id: "r-7" })));
    const { person } = open("/admin/providers", admin);
    expect(await screen.findByText("r-7")).toBeInTheDocument();
    server.use(providersAre());
    await person.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("No provider yet")).toBeInTheDocument();
    expect(screen.getAllByRole("link", { name: "Open API keys" })[0]).toHaveAttribute("href", "/admin/api-keys");
  });

  it("is for administrators only", async () => {
    open("/admin/providers", manager);
    expect(await screen.findByRole("heading", { name: "Not for your role" })).toBeInTheDocument();
  });
});

describe("dashboard", () => {
  it("shows the figures, the cost per day, who uses most, and how the providers fare", async () => {
    const today = new Date().toISOString().slice(0, 10);
    const asked: URLSearchParams[] = [];
    server.use(
      http.get(url("/admin/stats"), () => HttpResponse.json(stats)),
      quotasAre(aQuota()),
      providersAre(
        aProvider({ latency_ms: 412 }),
        aProvider({ key_name: "Backup", last_error: "auth", last_error_at: "2025-10-01T13:00:00.000Z" }),
      ),
      summaries(
        {
          day: [group({ key: today, split: "sonnet", cost_usd: 3 }), group({ key: today, split: "mini", cost_usd: 1 })],
          assistant: [group({ key: uuid(), label: "Press Writer", cost_usd: 3 })],
          user: [group({ key: uuid(), label: "Dana Levi", cost_usd: 4 })],
        },
        asked,
      ),
    );
    const { person, address } = open("/admin", admin);
    expect(await screen.findByText("$42.10")).toBeInTheDocument();
    expect(screen.getByText("$812.00")).toHaveTextContent("of $1,500");
    expect(screen.getByText("37")).toHaveTextContent("of 52");
    expect(screen.getByRole("link", { name: "Open queue" })).toHaveAttribute("href", "/admin/queue");
    expect(await screen.findByRole("img")).toHaveAccessibleName(/Cost per day by model from .*: \$4\.00 in all/);
    expect(screen.getByRole("slider")).toHaveAttribute(
      "aria-valuetext",
      expect.stringMatching(/sonnet \$3\.00, mini \$1\.00/),
    );
    expect(await screen.findByRole("list", { name: "Top people" })).toHaveTextContent("Dana Levi$4.00");
    expect(screen.getByText("412 ms")).toBeInTheDocument();
    expect(screen.getByText("The key of Anthropic was refused.")).toBeInTheDocument();
    expect(screen.getByRole("link", { name: "Provider status" })).toHaveAttribute("href", "/admin/providers");
    expect(await screen.findByRole("link", { name: "Fix key" })).toHaveAttribute("href", "/admin/api-keys");
    await person.click(screen.getByRole("button", { name: "7 days" }));
    expect(address()).toBe("/admin?days=7");
    await waitFor(() => {
      const from = Date.parse(asked.at(-1)?.get("from") ?? "");
      expect(Math.round((Date.now() - from) / 86_400_000)).toBeLessThanOrEqual(7);
    });
  });

  it("a part that failed leaves the others standing", async () => {
    server.use(
      http.get(url("/admin/stats"), () => refuse(500, { error: "InternalError", request_id: "r-9" })),
      quotasAre(),
      providersAre(),
      summaries({}),
    );
    open("/admin", admin);
    expect(await screen.findByText("r-9")).toBeInTheDocument();
    expect(await screen.findByRole("link", { name: "Open API keys" })).toBeInTheDocument();
  });

  it("stacks the dearest models and puts the rest together", () => {
    const days = daysBetween("2025-09-30", "2025-10-01");
    expect(days).toEqual(["2025-09-30", "2025-10-01"]);
    const groups = Array.from({ length: 8 }, (_, place) => group({ split: `model ${place}`, cost_usd: place + 1 }));
    const series = costByModel(groups, days, "Other models");
    expect(series.map((each) => each.name)).toEqual([
      "model 7",
      "model 6",
      "model 5",
      "model 4",
      "model 3",
      "Other models",
    ]);
    expect(series.at(-1)?.values).toEqual([0, 6]);
  });
});

describe("usage", () => {
  it("R38 keeps days and grouping in the address and asks the server for just those", async () => {
    const asked: URLSearchParams[] = [];
    server.use(summaries({ model: [group({ key: "sonnet", cost_usd: 2 })], day: [group({ split: "sonnet" })] }, asked));
    const { person, address } = open("/admin/usage?from=2025-10-01&to=2025-10-31", manager);
    await person.click(await screen.findByRole("button", { name: "Model" }));
    expect(address()).toBe("/admin/usage?from=2025-10-01&to=2025-10-31&by=model");
    const table = await screen.findByRole("table", { name: "Usage: Model" });
    expect(await within(table).findByRole("row", { name: /sonnet 10 1,000 500 \$2\.00/ })).toBeInTheDocument();
    const last = asked.findLast((query) => query.get("group_by") === "model");
    expect(last?.get("from")).toBe("2025-10-01T00:00:00.000Z");
    expect(last?.get("to")).toBe("2025-10-31T23:59:59.999Z");
    // Quotas are the administrator's.
    expect(screen.queryByRole("tab")).not.toBeInTheDocument();
  });

  it("an empty period leads to the last 30 days; a span too long is not asked for", async () => {
    server.use(summaries({}));
    const { person, router, address } = open("/admin/usage?from=2020-01-01&to=2020-01-31", manager);
    await person.click(await screen.findByRole("button", { name: "Show last 30 days" }));
    expect(address()).toBe("/admin/usage");
    await router.navigate("/admin/usage?from=2020-01-01&to=2025-01-31");
    expect(await screen.findByText("Choose at most 366 days.")).toBeInTheDocument();
  });

  it("exports the same days as CSV, with the token", async () => {
    let asked: URL | null = null;
    let token: string | null = null;
    const saved: string[] = [];
    URL.createObjectURL = () => "blob:usage";
    URL.revokeObjectURL = () => {};
    HTMLAnchorElement.prototype.click = function save(this: HTMLAnchorElement) {
      saved.push(this.download);
    };
    server.use(
      summaries({}),
      http.get(url("/usage"), ({ request }) => {
        asked = new URL(request.url);
        token = request.headers.get("Authorization");
        return new HttpResponse("id\r\n", { headers: { "Content-Type": "text/csv" } });
      }),
    );
    const { person } = open("/admin/usage?from=2025-10-01&to=2025-10-31", manager);
    await person.click(await screen.findByRole("button", { name: "Export CSV" }));
    await waitFor(() => expect(saved).toEqual(["usage-2025-10-01-2025-10-31.csv"]));
    expect((asked as URL | null)?.search).toContain("format=csv");
    expect(token).toBe("Bearer access-token");
  });
});

describe("quotas", () => {
  it("shows for whom they are, the limits, and what is used of the nearest one", async () => {
    server.use(
      quotasAre(aQuota(), aQuota({ scope: "role", scope_id: "user", daily_cost_limit: 5, monthly_cost_limit: 60 })),
    );
    open("/admin/usage?tab=quotas", admin);
    expect(
      await screen.findByRole("row", { name: /Everyone – \$1,500 – – – \$812\.00 this month \(54 %\)/ }),
    ).toBeVisible();
    expect(screen.getByRole("row", { name: /Role: User \$5 \$60/ })).toBeVisible();
  });

  it("R35 adds one for a person; an empty field limits nothing", async () => {
    let sent: unknown;
    const dana = aUser();
    server.use(
      quotasAre(),
      http.get(url("/admin/users"), () => HttpResponse.json({ users: [dana], total: 1 })),
      http.post(url("/quotas"), async ({ request }) => {
        sent = await request.json();
        return HttpResponse.json(aQuota(), { status: 201 });
      }),
    );
    const { person } = open("/admin/usage?tab=quotas", admin);
    await person.click(await screen.findByRole("button", { name: "Add quota" }));
    const dialog = within(await screen.findByRole("dialog", { name: "Add a quota" }));
    await person.selectOptions(dialog.getByLabelText("Applies to"), "Person");
    await person.type(dialog.getByLabelText("US dollars per day"), "lots");
    await person.click(dialog.getByRole("button", { name: "Add quota" }));
    expect(dialog.getByLabelText("Person")).toHaveAccessibleDescription("Choose for whom it is.");
    expect(dialog.getByLabelText("US dollars per day")).toHaveAccessibleDescription(
      "Write a number from 0 to 1,000,000.",
    );
    await person.selectOptions(dialog.getByLabelText("Person"), await dialog.findByRole("option", { name: /Dana/ }));
    await person.clear(dialog.getByLabelText("US dollars per day"));
    await person.type(dialog.getByLabelText("US dollars per day"), "2,5");
    await person.click(dialog.getByRole("button", { name: "Add quota" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent).toEqual({
      scope: "user",
      scope_id: dana.id,
      daily_cost_limit: 2.5,
      monthly_cost_limit: null,
      daily_token_limit: null,
      monthly_token_limit: null,
      requests_per_min: null,
      requests_per_hour: null,
      alert_threshold: 80,
    });
  });

  it("R39 a quota that somebody else changed meanwhile shows both versions and saves the chosen one", async () => {
    const quota = aQuota();
    const theirs = { ...quota, monthly_cost_limit: 2000, version: 4 };
    const versions: (string | null)[] = [];
    server.use(
      quotasAre(quota),
      http.get(url("/quotas/:id"), () => HttpResponse.json(theirs)),
      http.patch(url("/quotas/:id"), ({ request }) => {
        versions.push(request.headers.get("If-Match"));
        return versions.length === 1
          ? refuse(412, { error: "PreconditionFailedError" })
          : HttpResponse.json({ ...theirs, version: 5 });
      }),
    );
    const { person } = open("/admin/usage?tab=quotas", admin);
    await person.click(await screen.findByRole("button", { name: "Actions for Everyone" }));
    await person.click(await screen.findByRole("menuitem", { name: "Edit…" }));
    const month = await screen.findByLabelText("US dollars per month");
    await person.clear(month);
    await person.type(month, "1800");
    await person.click(screen.getByRole("button", { name: "Save changes" }));
    const dialog = await screen.findByRole("dialog", { name: "Changed by someone else" });
    expect(dialog).toHaveTextContent("1800");
    expect(dialog).toHaveTextContent("2000");
    await person.click(within(dialog).getByRole("button", { name: "Keep mine" }));
    await waitFor(() => expect(versions).toEqual(['"3"', '"4"']));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  });

  it("R37 deleting names the quota and starts at Cancel", async () => {
    let deleted = false;
    server.use(
      quotasAre(aQuota()),
      http.delete(url("/quotas/:id"), () => {
        deleted = true;
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { person } = open("/admin/usage?tab=quotas", admin);
    await person.click(await screen.findByRole("button", { name: "Actions for Everyone" }));
    await person.click(await screen.findByRole("menuitem", { name: "Delete…" }));
    const dialog = within(await screen.findByRole("alertdialog", { name: "Delete the quota: Everyone?" }));
    expect(dialog.getByRole("button", { name: "Cancel" })).toHaveFocus();
    await person.click(dialog.getByRole("button", { name: "Delete quota" }));
    await waitFor(() => expect(deleted).toBe(true));
  });
});
