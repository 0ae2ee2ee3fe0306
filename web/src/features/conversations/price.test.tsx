// What answers cost, and what happens when the budget is used up.
import { screen, waitFor, within } from "@testing-library/react";
import { http } from "msw";
import { describe, expect, it } from "vitest";
import { useUi } from "@/lib/ui-store";
import { aStream, assistant, chunk, done, serve, start, withLayout } from "@/testing/chat";
import { aConversation, aMessage, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { refuse, server, url } from "@/testing/server";

withLayout();

const conversation = aConversation({ assistant_id: assistant.id });
const field = () => screen.findByRole<HTMLTextAreaElement>("textbox", { name: /^Message/ });

/** The next message is refused for this limit. */
function refusedFor(limit: string, amount: number, resets_at: string) {
  // Quota refusals carry figures where other refusals name a field.
  const detail: object = { scope: "user", limit, amount, used: amount, resets_at };
  return http.post(url(`/conversations/${conversation.id}/messages`), () =>
    refuse(429, { error: "QuotaExceededError", details: [detail] }, { "Retry-After": "3600" }),
  );
}

describe("a budget that is used up", () => {
  it("of the day is said at the composer, which keeps the text and leads to the usage", async () => {
    serve(conversation);
    server.use(refusedFor("daily_cost_limit", 5, "2025-10-02T00:00:00.000Z"));
    const { person } = open(`/chat/${conversation.id}`, aUser());
    await person.type(await field(), "Draft a pitch.{Enter}");
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent(
      /^Today's budget is used up \(\$5\.00\)\. It starts again at \d\d:\d\d\. Your text is kept\. See usage$/,
    );
    expect(within(alert).getByRole("link", { name: "See usage" })).toHaveAttribute("href", "/settings/usage");
    await waitFor(async () => expect(await field()).toHaveValue("Draft a pitch."));
  });

  it("of the month names the day on which it starts again", async () => {
    serve(conversation);
    server.use(refusedFor("monthly_cost_limit", 60, "2025-11-01T00:00:00.000Z"));
    const { person } = open(`/chat/${conversation.id}`, aUser());
    await person.type(await field(), "Draft a pitch.{Enter}");
    expect(await screen.findByRole("alert")).toHaveTextContent(
      "This month's budget is used up ($60). It starts again on November 1.",
    );
  });
});

describe("the cost under answers", () => {
  const answer = aMessage({
    conversation_id: conversation.id,
    role: "assistant",
    content: "It opens today.",
    cost_usd: 0.0041,
  });

  it("shows under stored answers, unless the person does not want it", async () => {
    serve(conversation, [answer]);
    open(`/chat/${conversation.id}`, aUser());
    expect(await screen.findByText("$0.0041")).toBeInTheDocument();
    useUi.setState({ showCost: false });
    await waitFor(() => expect(screen.queryByText("$0.0041")).not.toBeInTheDocument());
  });

  it("shows when the answer being written is complete", async () => {
    serve(conversation);
    const stream = aStream();
    server.use(http.post(url(`/conversations/${conversation.id}/messages`), stream.response));
    const { person } = open(`/chat/${conversation.id}`, aUser());
    await person.type(await field(), "Draft a pitch.{Enter}");
    stream.say(start(conversation.id), chunk("It opens today."));
    expect(await screen.findByText("It opens today.")).toBeInTheDocument();
    const tokens = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, estimated: false };
    stream.say({ type: "usage", usage: { ...tokens, cost_usd: 0.02 } }, done());
    stream.close();
    expect(await screen.findByText("$0.02")).toBeInTheDocument();
  });
});
