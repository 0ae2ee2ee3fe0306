// The sidebar's chats and the dashboard's last ones.
import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { Conversation } from "@/api/types";
import { withLayout } from "@/testing/chat";
import { aConversation, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

withLayout();

const HOUR = 3_600_000;
const ago = (hours: number) => new Date(Date.now() - hours * HOUR).toISOString();

function serve(conversations: readonly Conversation[]) {
  const offsets: number[] = [];
  server.use(
    http.get(url("/conversations"), ({ request }) => {
      const query = new URL(request.url).searchParams;
      const offset = Number(query.get("offset") ?? 0);
      offsets.push(offset);
      const page = conversations.slice(offset, offset + Number(query.get("limit") ?? 20));
      return HttpResponse.json({ conversations: page, total: conversations.length });
    }),
  );
  return offsets;
}

const chats = () => screen.findByRole("navigation", { name: "Chats" });

describe("R32 the sidebar's chats", () => {
  it("stand in sections by day; one that is being written has a dot", async () => {
    serve([
      aConversation({ title: "Fresh", last_message_at: ago(0), is_generating: true }),
      aConversation({ title: "Week old", last_message_at: ago(24 * 6) }),
    ]);
    open("/assistants", aUser());
    const list = await chats();
    expect(await within(list).findByRole("heading", { name: "Today" })).toBeInTheDocument();
    expect(within(list).getByRole("heading", { name: "Previous 7 days" })).toBeInTheDocument();
    expect(within(list).getByRole("link", { name: /Fresh/ })).toContainElement(
      within(list).getByRole("img", { name: "Writing" }),
    );
  });

  it("load the next fifty near the end", async () => {
    const all = Array.from({ length: 60 }, (_, n) => aConversation({ title: `Chat ${n}`, last_message_at: ago(n) }));
    const offsets = serve(all);
    open("/assistants", aUser());
    await within(await chats()).findByRole("link", { name: "Chat 0" });
    await waitFor(() => expect(offsets).toContain(50));
  });

  it("are renamed in place by F2, and Escape keeps the name", async () => {
    const conversation = aConversation({ title: "Old", last_message_at: ago(1) });
    serve([conversation]);
    const bodies: unknown[] = [];
    server.use(
      http.patch(url(`/conversations/${conversation.id}`), async ({ request }) => {
        bodies.push(await request.json());
        return HttpResponse.json({ ...conversation, title: "New" });
      }),
    );
    const { person } = open("/assistants", aUser());
    const list = await chats();
    (await within(list).findByRole("link", { name: "Old" })).focus();
    await person.keyboard("{F2}");
    await person.keyboard("{Escape}");
    (await within(list).findByRole("link", { name: "Old" })).focus();
    await person.keyboard("{F2}");
    const title = await within(list).findByRole("textbox", { name: "Title of this chat" });
    await person.clear(title);
    await person.type(title, "New{Enter}");
    expect(await within(list).findByRole("link", { name: "New" })).toBeInTheDocument();
    expect(bodies).toEqual([{ title: "New" }]);
  });

  it("say that there are none, and offer another try when they could not be loaded", async () => {
    let broken = true;
    server.use(
      http.get(url("/conversations"), () =>
        broken ? refuse(400, { error: "MalformedRequestError" }) : HttpResponse.json({ conversations: [], total: 0 }),
      ),
    );
    const { person } = open("/assistants", aUser());
    const list = await chats();
    expect(await within(list).findByText("Could not load your chats")).toBeInTheDocument();
    broken = false;
    await person.click(within(list).getByRole("button", { name: "Try again" }));
    expect(await within(list).findByText("No chats yet")).toBeInTheDocument();
  });
});

describe("the dashboard's last chats", () => {
  it("lead to their chats and name their assistants", async () => {
    const conversation = aConversation({ title: "Q3 launch", assistant_name: "Press Writer", last_message_at: ago(1) });
    serve([conversation]);
    open("/", aUser());
    const links = await screen.findAllByRole("link", { name: /Q3 launch.*Press Writer/ });
    expect(links[0]).toHaveAttribute("href", `/chat/${conversation.id}`);
  });
});
