// The system's settings: groups that save alone, defaults, and what happens when two people save.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { SettingValues } from "@/api/types";
import { aModel, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

const admin = aUser({ role: "admin" });
const MOMENT = "2025-10-01T12:00:00.000Z";

describe("system settings", () => {
  const values: SettingValues = {
    app_name: "AI-Across",
    auto_title: true,
    rag_top_k: 5,
    chunk_size: 512,
    chunk_overlap: 50,
    rag_on_failure: "degrade",
    default_model: null,
    allowed_models: [],
    audit_retention_days: 400,
  };
  const defaults: SettingValues = { ...values, audit_retention_days: 365 };

  /** A server that keeps settings with a version, as the real one does. */
  function settingsServer(start: SettingValues = values) {
    const state = { values: start, version: 1, sent: [] as unknown[], matched: [] as (string | null)[] };
    const answer = () =>
      HttpResponse.json(
        { settings: state.values, defaults, total: Object.keys(state.values).length },
        { headers: { ETag: `"${state.version}"` } },
      );
    server.use(
      http.get(url("/models"), () =>
        HttpResponse.json({ models: [aModel()], total: 1, stale: false, fetched_at: MOMENT }),
      ),
      http.get(url("/settings"), answer),
      http.patch(url("/settings"), async ({ request }) => {
        const match = request.headers.get("If-Match");
        state.matched.push(match);
        if (match !== `"${state.version}"`) return refuse(412, { error: "PreconditionFailedError" });
        const body = (await request.json()) as { settings: SettingValues };
        state.sent.push(body.settings);
        const changed = Object.entries(body.settings).map(([key, value]) => [key, value ?? defaults[key] ?? null]);
        state.values = { ...state.values, ...Object.fromEntries(changed) };
        state.version += 1;
        return answer();
      }),
    );
    return state;
  }

  it("a group saves alone and only what was changed, which is marked before", async () => {
    const state = settingsServer();
    const { person } = open("/admin/settings", admin);
    const passages = await screen.findByLabelText(/^Passages per answer/);
    await person.clear(passages);
    await person.type(passages, "99");
    expect(passages).toHaveAccessibleName("Passages per answer changed");
    await person.click(screen.getByRole("button", { name: "Save: Retrieval" }));
    expect(passages).toHaveAccessibleDescription(/Write a whole number from 1 to 20\./);
    expect(passages).toHaveFocus();
    await person.clear(passages);
    await person.type(passages, "8");
    // Another group's change stays unsaved.
    await person.type(screen.getByLabelText("Name of this installation"), " Ltd");
    await person.click(screen.getByRole("button", { name: "Save: Retrieval" }));
    await waitFor(() => expect(state.sent).toEqual([{ rag_top_k: 8 }]));
    await waitFor(() => expect(passages).toHaveAccessibleName("Passages per answer"));
    expect(screen.getByLabelText(/^Name of this installation/)).toHaveValue("AI-Across Ltd");
    await person.click(screen.getByRole("button", { name: "Save: General" }));
    // The version our own saving made is no conflict.
    await waitFor(() => expect(state.sent).toEqual([{ rag_top_k: 8 }, { app_name: "AI-Across Ltd" }]));
  });

  it("shows the default under each field and goes back to it", async () => {
    const state = settingsServer();
    const { person } = open("/admin/settings", admin);
    const days = await screen.findByLabelText(/^Keep the audit log/);
    expect(days).toHaveAccessibleDescription(/Default: 365/);
    await person.click(screen.getByRole("button", { name: "Reset to default: Keep the audit log, in days" }));
    expect(days).toHaveValue("365");
    await person.click(screen.getByRole("button", { name: "Save: Retention" }));
    await waitFor(() => expect(state.sent).toEqual([{ audit_retention_days: null }]));
  });

  it("R39 a setting that somebody else changed meanwhile shows both values; theirs can be taken", async () => {
    const state = settingsServer();
    const { person } = open("/admin/settings", admin);
    const passages = await screen.findByLabelText(/^Passages per answer/);
    await person.clear(passages);
    await person.type(passages, "8");
    state.values = { ...state.values, rag_top_k: 12 };
    state.version += 1;
    await person.click(screen.getByRole("button", { name: "Save: Retrieval" }));
    const dialog = await screen.findByRole("dialog", { name: "Changed by someone else" });
    expect(dialog).toHaveTextContent("Passages per answer");
    expect(dialog).toHaveTextContent("12");
    await person.click(within(dialog).getByRole("button", { name: "Take theirs" }));
    await waitFor(() => expect(passages).toHaveValue("12"));
    expect(state.sent).toEqual([]);
  });

  it("R35 unsaved settings ask before one leaves", async () => {
    settingsServer();
    const { person, router, address } = open("/admin/settings", admin);
    await person.type(await screen.findByLabelText("Name of this installation"), " Ltd");
    await router.navigate("/");
    const dialog = await screen.findByRole("alertdialog");
    await person.click(within(dialog).getByRole("button", { name: "Stay on this page" }));
    expect(address()).toBe("/admin/settings");
    await person.click(screen.getByRole("button", { name: "Discard" }));
    await router.navigate("/");
    await waitFor(() => expect(address()).toBe("/"));
  });

  it("reprocesses all files after asking", async () => {
    settingsServer();
    let asked = 0;
    server.use(
      http.post(url("/files/reprocess-all"), () => {
        asked += 1;
        return HttpResponse.json({}, { status: 202 });
      }),
    );
    const { person } = open("/admin/settings", admin);
    await person.click(await screen.findByRole("button", { name: "Reprocess all files…" }));
    expect(asked).toBe(0);
    await person.click(await screen.findByRole("button", { name: "Reprocess all files" }));
    await waitFor(() => expect(asked).toBe(1));
  });
});
