// R8: while an answer is written only the answer draws, not the composer and not what is settled.
import { screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, it, vi } from "vitest";
import { aStream, chunk, done, start, withLayout } from "@/testing/chat";
import { aConversation, aMessage, aUser } from "@/testing/factories";
import { open } from "@/testing/render";
import { server, url } from "@/testing/server";

const drawn = vi.hoisted(() => ({ composer: 0, texts: new Map<string, number>() }));

vi.mock(import("./model-picker"), async (original) => {
  const real = await original();
  return {
    ...real,
    // It stands inside the composer and draws whenever that does.
    ModelPicker: () => {
      drawn.composer += 1;
      return null;
    },
  };
});
vi.mock(import("./markdown/stream-markdown"), async (original) => {
  const { StreamMarkdown } = await original();
  return {
    StreamMarkdown: (props) => {
      drawn.texts.set(props.text, (drawn.texts.get(props.text) ?? 0) + 1);
      return <StreamMarkdown {...props} />;
    },
  };
});

withLayout();

it("R8 the composer and settled messages do not draw during a stream", async () => {
  const conversation = aConversation();
  const settled = aMessage({ conversation_id: conversation.id, role: "assistant", content: "Settled." });
  const stream = aStream();
  server.use(
    http.get(url(`/conversations/${conversation.id}`), () => HttpResponse.json(conversation)),
    http.get(url(`/conversations/${conversation.id}/messages`), () =>
      HttpResponse.json({ messages: [settled], total: 1 }),
    ),
    http.post(url(`/conversations/${conversation.id}/messages`), () => stream.response()),
  );
  const { person } = open(`/chat/${conversation.id}`, aUser());
  await person.type(await screen.findByRole("textbox", { name: /^Message/ }), "Go.{Enter}");
  stream.say(start(conversation.id), chunk("w0 "));
  await screen.findByText("w0");
  const composer = drawn.composer;
  const before = drawn.texts.get("Settled.");
  let text = "w0 ";
  for (let n = 1; n <= 20; n += 1) {
    stream.say(chunk(`w${n} `));
    text += `w${n} `;
    await screen.findByText(text.trim());
  }
  expect(drawn.texts.size).toBeGreaterThan(10);
  expect(drawn.composer).toBe(composer);
  expect(drawn.texts.get("Settled.")).toBe(before);
  stream.say(done());
  await waitFor(() => expect(screen.getByRole("button", { name: "Send" })).toBeInTheDocument());
});
