// The queue of background work, for administrators.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { Job, KnowledgeFile } from "@/api/types";
import { aFile, aUser, uuid } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

const admin = aUser({ role: "admin" });
const MOMENT = "2025-10-01T12:00:00.000Z";

function aJob(fields: Partial<Job> = {}): Job {
  return {
    id: uuid(),
    kind: "ingest",
    state: "waiting",
    file_id: uuid(),
    attempts: 0,
    created_at: MOMENT,
    due_at: MOMENT,
    last_error: null,
    filename: "brief v3.pdf",
    assistant_id: "a-1",
    assistant_name: "Press Writer",
    status: "processing",
    progress: 0,
    waits_for: null,
    ...fields,
  };
}

function openQueue(jobs: Job[], failed: KnowledgeFile[] = [], total = jobs.length) {
  server.use(
    http.get(url("/admin/jobs"), () => HttpResponse.json({ jobs, total })),
    http.get(url("/files"), () => HttpResponse.json({ files: failed, total: failed.length })),
  );
  return open("/admin/queue", admin);
}

const rowOf = async (name: RegExp) => screen.findByRole("row", { name });

describe("the queue", () => {
  it("says what waits, is worked on and is tried again, and why", async () => {
    openQueue([
      aJob(),
      aJob({ filename: "b.pdf", state: "running", attempts: 1, progress: 40 }),
      aJob({ filename: "c.pdf", attempts: 2, waits_for: "outage", last_error: "The provider is down." }),
      aJob({ filename: "d.pdf", attempts: 1, waits_for: "quota" }),
      aJob({ kind: "purge_file", filename: null, assistant_id: null, assistant_name: null, status: null }),
    ]);
    const first = await rowOf(/brief v3\.pdf/);
    expect(first).toHaveTextContent(/Press Writer · Read a file.*Waiting.*For its turn/);
    expect(within(first).getByRole("link", { name: "brief v3.pdf" })).toHaveAttribute(
      "href",
      "/assistants/a-1?tab=files",
    );
    expect(await rowOf(/b\.pdf/)).toHaveTextContent(/Being worked on40 % done/);
    expect(await rowOf(/c\.pdf/)).toHaveTextContent(
      /Tried again later.*A provider or a store did not answer\.The provider is down\..*2/,
    );
    expect(await rowOf(/d\.pdf/)).toHaveTextContent("A quota has no room.");
    expect(await rowOf(/Remove a file's parts/)).toBeInTheDocument();
  });

  it("shows work whose file is gone", async () => {
    openQueue([aJob({ filename: null, assistant_id: null, assistant_name: null, status: null, progress: null })]);
    expect(await rowOf(/^Read a file/)).toHaveTextContent("Waiting");
  });

  it("without work says so, and is read again while it is in view", async () => {
    const jobs: Job[] = [];
    openQueue(jobs);
    expect(await screen.findByText("Nothing is waiting")).toBeInTheDocument();
    expect(await screen.findByText("No file has failed.")).toBeInTheDocument();
    jobs.push(aJob());
    expect(await rowOf(/brief v3\.pdf/)).toBeInTheDocument();
  });

  it("shows the failed files, has one read again and removes one by its name", async () => {
    const scan = aFile({ filename: "scan.pdf", status: "error", error_message: "The file is encrypted." });
    const failed = [scan];
    const { person } = openQueue([], failed);
    const asked: string[] = [];
    server.use(
      http.post(url(`/files/${scan.id}/reprocess`), () => {
        asked.push("again");
        return HttpResponse.json(scan, { status: 202 });
      }),
      http.delete(url(`/files/${scan.id}`), () => {
        failed.length = 0;
        return new HttpResponse(null, { status: 204 });
      }),
    );
    expect(await rowOf(/scan\.pdf/)).toHaveTextContent("The file is encrypted.");
    await person.click(screen.getByRole("button", { name: "Try again: scan.pdf" }));
    expect(await screen.findByText("scan.pdf is being read again.")).toBeInTheDocument();
    expect(asked).toEqual(["again"]);
    await person.click(screen.getByRole("button", { name: "Remove: scan.pdf" }));
    const dialog = await screen.findByRole("alertdialog", { name: "Remove scan.pdf?" });
    await person.click(within(dialog).getByRole("button", { name: "Remove file" }));
    expect(await screen.findByText("No file has failed.")).toBeInTheDocument();
  });

  it("turns its pages in the address", async () => {
    const { person, address } = openQueue([aJob()], [], 120);
    await rowOf(/brief v3\.pdf/);
    await person.click(screen.getByRole("button", { name: "Next page" }));
    await waitFor(() => expect(address()).toBe("/admin/queue?offset=50"));
  });

  it("that could not be loaded says so and can be tried again", async () => {
    const { person } = openQueue([]);
    server.use(
      http.get(url("/admin/jobs"), () => refuse(500, { error: "InternalError", request_id: "r-7" }), { once: true }),
    );
    expect(await screen.findByText("Could not load the queue")).toBeInTheDocument();
    await person.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("Nothing is waiting")).toBeInTheDocument();
  });

  it("is for administrators", async () => {
    open("/admin/queue", aUser({ role: "manager" }));
    expect(await screen.findByText("Not for your role")).toBeInTheDocument();
  });
});
