// Around the messages of a chat: its sources, its title, its end.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { Conversation, WhyFields } from "@/api/types";
import { aCitation, serve, turn, withLayout } from "@/testing/chat";
import { aConversation, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

withLayout();

describe("R27 R28 sources", () => {
  const CITED = "Intro lines. 38 validators have signed. Outro.";

  async function withSources(why: Partial<WhyFields> = {}) {
    const conversation = aConversation();
    const citations = [
      { ...aCitation(), ...why },
      aCitation({ index: 2, filename: "old plan.pdf", file_id: "gone", snippet: "September." }),
    ];
    serve(conversation, turn(conversation.id, { content: "They signed [1].", citations, retrieval: "ok" }));
    server.use(
      http.get(url("/files/file-1/text"), () =>
        HttpResponse.json({ text: CITED, pages: [{ page: 4, start: 0, end: CITED.length }] }),
      ),
      http.get(url("/files/gone/text"), () => refuse(404, { error: "NotFoundError" })),
    );
    const view = open(`/chat/${conversation.id}`, aUser());
    await view.person.click(await screen.findByRole("button", { name: "Source 1: brief v3.pdf, page 4" }));
    return view;
  }

  it("open at the one that was clicked, cited first, with their address in the page's", async () => {
    const { address } = await withSources();
    const panel = await screen.findByRole("dialog", { name: "Sources" });
    const [first, second] = within(panel).getAllByRole("listitem", { hidden: true });
    expect(first).toHaveTextContent(/brief v3\.pdf.*38 validators have signed.*Page 4 · match 0\.86/);
    expect(first).toHaveFocus();
    expect(second).toHaveTextContent(/old plan\.pdf/);
    expect(within(panel).getByText("Also retrieved 1")).toBeInTheDocument();
    expect(address()).toMatch(/\?sources=/);
  });

  it("show the passage in its place, marked", async () => {
    const { person } = await withSources();
    await person.click((await screen.findAllByRole("button", { name: "Open passage" }))[0] as HTMLElement);
    const mark = await screen.findByText("38 validators have signed.", { selector: "mark" });
    expect(mark.closest("p")).toHaveTextContent(CITED);
    expect(screen.getByRole("dialog", { name: "brief v3.pdf" })).toHaveTextContent("Page 4 of 4");
  });

  it("open on their page, from where the pages are turned", async () => {
    const { person } = await withSources();
    const pages = [
      { page: 3, start: 0, end: 5 },
      { page: 4, start: 5, end: CITED.length },
    ];
    server.use(http.get(url("/files/file-1/text"), () => HttpResponse.json({ text: CITED, pages })));
    await person.click((await screen.findAllByRole("button", { name: "Open passage" }))[0] as HTMLElement);
    const dialog = within(await screen.findByRole("dialog", { name: "brief v3.pdf" }));
    expect(await dialog.findByText("Page 4 of 4")).toBeInTheDocument();
    expect(dialog.queryByText("Intro")).not.toBeInTheDocument();
    await person.click(dialog.getByRole("button", { name: "Previous page" }));
    expect(dialog.getByText("Page 3 of 4")).toBeInTheDocument();
    expect(dialog.getByText("Intro")).toBeInTheDocument();
    await person.click(dialog.getByRole("button", { name: "Back to the passage" }));
    expect(dialog.getByText("38 validators have signed.", { selector: "mark" })).toBeInTheDocument();
  });

  it("say why they were found, when somebody asks", async () => {
    const { person } = await withSources({
      vector_rank: 2,
      keyword_rank: null,
      fused_rank: 1,
      matched_words: ["signed"],
      threshold: 0.7,
      heading: "Launch › Validators",
    });
    const source = await screen.findByRole("listitem", { name: "Source 1: brief v3.pdf, page 4" });
    await person.click(within(source).getByText(/^Why this passage/));
    expect(await within(source).findByText("signed")).toBeInTheDocument();
    expect(source).toHaveTextContent(/By meaningplace 2By wordsnot foundTogetherplace 1Match0\.86/);
    expect(source).toHaveTextContent("It reaches the minimum match of 0.70.");
    expect(source).toHaveTextContent("Under the heading: Launch › Validators");
  });

  it("of an answer from before say that nothing more is known", async () => {
    const { person } = await withSources({ vector_rank: null, fused_rank: null, matched_words: null, threshold: null });
    const source = await screen.findByRole("listitem", { name: "Source 1: brief v3.pdf, page 4" });
    await person.click(within(source).getByText(/^Why this passage/));
    expect(await within(source).findByText("How it was found was not kept with this answer.")).toBeInTheDocument();
  });

  it("show what was kept when the file is gone", async () => {
    const { person } = await withSources();
    await person.click(screen.getByText("Also retrieved 1"));
    await person.click(screen.getAllByRole("button", { name: "Open passage" })[1] as HTMLElement);
    expect(
      await screen.findByText("This file has been removed. The passage was kept with the answer."),
    ).toBeInTheDocument();
    expect(screen.getByText("September.", { selector: "mark" })).toBeInTheDocument();
  });
});

describe("a whole chat", () => {
  it("R36 is renamed in place, and back when the server refuses", async () => {
    const conversation = aConversation({ title: "Old title" });
    serve(conversation, turn(conversation.id));
    server.use(
      http.patch(url(`/conversations/${conversation.id}`), () => refuse(503, { error: "ServiceUnavailableError" })),
    );
    const { person } = open(`/chat/${conversation.id}`, aUser());
    await person.click(await screen.findByRole("button", { name: "Rename" }));
    const title = screen.getByRole("textbox", { name: "Title of this chat" });
    await person.clear(title);
    await person.type(title, "New title{Enter}");
    expect(await screen.findByText(/The title was not saved\./, { selector: "div,span,p,li" })).toBeInTheDocument();
    expect(screen.getByRole("heading", { level: 1 })).toHaveTextContent("Old title");
    server.use(
      http.patch(url(`/conversations/${conversation.id}`), () =>
        HttpResponse.json({ ...conversation, title: "New title" }),
      ),
    );
    await person.click(screen.getByRole("button", { name: "Rename" }));
    await person.clear(screen.getByRole("textbox", { name: "Title of this chat" }));
    await person.type(screen.getByRole("textbox", { name: "Title of this chat" }), "New title{Enter}");
    expect(await screen.findByRole("heading", { level: 1, name: "New title" })).toBeInTheDocument();
  });

  it("R37 is deleted only after a question that names it", async () => {
    const conversation = aConversation({ title: "Old title" });
    serve(conversation, turn(conversation.id));
    let deleted = 0;
    server.use(
      http.delete(url(`/conversations/${conversation.id}`), () => {
        deleted += 1;
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { person, address } = open(`/chat/${conversation.id}`, aUser());
    await person.click(await screen.findByRole("button", { name: "Actions for this chat" }));
    await person.click(await screen.findByRole("menuitem", { name: "Delete…" }));
    const question = await screen.findByRole("alertdialog", { name: "Delete “Old title”?" });
    expect(within(question).getByRole("button", { name: "Cancel" })).toHaveFocus();
    expect(deleted).toBe(0);
    await person.click(within(question).getByRole("button", { name: "Delete chat" }));
    await waitFor(() => expect(address()).toBe("/chat/new"));
    expect(deleted).toBe(1);
  });

  it("can be read, not gone on with, when its assistant was removed", async () => {
    const conversation: Conversation = { ...aConversation(), assistant_deleted: true };
    serve(conversation, turn(conversation.id));
    open(`/chat/${conversation.id}`, aUser());
    expect(await screen.findByText("Chainlab opens.")).toBeInTheDocument();
    expect(screen.getByText(/This assistant was removed\./)).toBeInTheDocument();
    expect(screen.queryByRole("textbox", { name: /^Message/ })).toBeNull();
  });

  it("says when it does not exist", async () => {
    server.use(
      http.get(url("/conversations/:id"), () => refuse(404, { error: "NotFoundError" })),
      http.get(url("/conversations/:id/messages"), () => refuse(404, { error: "NotFoundError" })),
    );
    open("/chat/nowhere", aUser());
    expect(await screen.findByText("This chat does not exist")).toBeInTheDocument();
  });

  it("offers another try when it could not be loaded", async () => {
    const conversation = aConversation();
    serve(conversation, turn(conversation.id));
    server.use(
      http.get(
        url(`/conversations/${conversation.id}`),
        () => refuse(500, { error: "InternalError", request_id: "req-7" }),
        {
          once: true,
        },
      ),
    );
    const { person } = open(`/chat/${conversation.id}`, aUser());
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("Could not load this conversation");
    expect(alert).toHaveTextContent("req-7");
    await person.click(within(alert).getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("Chainlab opens.")).toBeInTheDocument();
  });
});
