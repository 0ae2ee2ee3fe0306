// Changing the embedding model: what it takes is shown before, how far it is meanwhile, and it can be called off.
import { screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, it } from "vitest";
import type { EmbeddingOverview } from "@/api/types";
import { aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { server, url } from "@/testing/server";

const SMALL = { id: "all-MiniLM-L6-v2", dimensions: 384 };
const LARGE = { id: "text-embedding-3-large", dimensions: 3072 };

it("shows what a change takes, begins it, follows it and calls it off", async () => {
  const overview: EmbeddingOverview = {
    current: SMALL,
    files: 12,
    chunks: 3_400,
    models: [
      { ...SMALL, providers: ["local"], price: 0, is_current: true },
      { ...LARGE, providers: ["openai"], price: 0.13, is_current: false },
    ],
    change: null,
  };
  const state = { overview, asked: [] as unknown[] };
  server.use(
    http.get(url("/settings"), () =>
      HttpResponse.json(
        { settings: { rag_top_k: 5, embedding_model: "local" }, defaults: { rag_top_k: 5 }, total: 2 },
        { headers: { ETag: '"1"' } },
      ),
    ),
    http.get(url("/admin/embedding"), () => HttpResponse.json(state.overview)),
    http.post(url("/admin/embedding/estimate"), async ({ request }) => {
      state.asked.push(await request.json());
      return HttpResponse.json({ model: LARGE, files: 12, chunks: 3_400, tokens: 1e6, cost: 0.13, seconds: 600 });
    }),
    http.post(url("/admin/embedding/change"), async ({ request }) => {
      state.asked.push(await request.json());
      const change = {
        id: "0190a0b0-0000-7000-8000-000000000001",
        model: LARGE,
        phase: "running" as const,
        chunks_total: 3_400,
        chunks_done: 1_700,
        seconds_left: 300,
        problem: null,
        started_at: "2025-10-01T12:00:00.000Z",
        finished_at: null,
      };
      state.overview = { ...overview, change };
      return HttpResponse.json(change, { status: 202 });
    }),
    http.delete(url("/admin/embedding/change"), () => {
      state.overview = overview;
      return new HttpResponse(null, { status: 204 });
    }),
  );
  const { person } = open("/admin/settings", aUser({ role: "admin" }));
  await person.click(await screen.findByRole("button", { name: "Change…" }));
  // The model is no field of the form any more.
  expect(screen.queryByRole("textbox", { name: /^Embedding model/ })).not.toBeInTheDocument();
  await person.selectOptions(screen.getByLabelText("New model"), "text-embedding-3-large:3072");
  expect(await screen.findByText("about 10 min")).toBeInTheDocument();
  expect(screen.getByText("$0.13")).toBeInTheDocument();
  await person.click(screen.getByRole("button", { name: "Change the model" }));
  const progress = await screen.findByRole("progressbar", { name: "Changing to text-embedding-3-large" });
  expect(progress).toHaveAttribute("aria-valuenow", "50");
  expect(screen.getByText("1,700 of 3,400 passages, about 5 min left")).toBeInTheDocument();
  expect(state.asked).toEqual([{ model: "text-embedding-3-large:3072" }, { model: "text-embedding-3-large:3072" }]);
  await person.click(screen.getByRole("button", { name: "Cancel the change" }));
  await person.click(await screen.findByRole("button", { name: "Cancel the change" }));
  await waitFor(() => expect(screen.queryByRole("progressbar")).not.toBeInTheDocument());
});
