// The stream's bytes, cut anywhere, give the same events (S-61).
import { describe, expect, it } from "vitest";
import { createEventReader, parseEvent, type StreamEvent } from "./sse";

const EVENTS: StreamEvent[] = [
  { type: "start", message_id: "m1", user_message_id: "u1", conversation_id: "c1", model: "x/y" },
  { type: "chunk", content: 'שלום "quoted"\n\ndata: {"type":"done"}\n\n' },
  { type: "chunk", content: "line\u2028separator \u2029 \r and 🙂" },
  { type: "done", message_id: "m1", finish_reason: "stop" },
];

function wire(lineEnd: string): Uint8Array {
  const parts = EVENTS.map((event) => `data: ${JSON.stringify(event)}${lineEnd}${lineEnd}`);
  parts.splice(2, 0, `: keep-alive${lineEnd}${lineEnd}`);
  return new TextEncoder().encode(parts.join(""));
}

function readIn(...portions: Uint8Array[]): StreamEvent[] {
  const events: StreamEvent[] = [];
  const feed = createEventReader((event) => events.push(event));
  for (const portion of portions) feed(portion);
  return events;
}

describe.each([
  ["LF", "\n"],
  ["CRLF", "\r\n"],
])("S-61 reading a stream with %s line ends", (_name, lineEnd) => {
  const bytes = wire(lineEnd);

  it("gives the same events wherever the bytes are cut", () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(readIn(bytes.slice(0, cut), bytes.slice(cut)), `cut at ${cut}`).toEqual(EVENTS);
    }
  });

  it("gives the same events byte by byte", () => {
    expect(readIn(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(EVENTS);
  });
});

describe("events that are none", () => {
  it.each(["", "not json", "null", "[]", '"start"', '{"type":"from-the-future"}', '{"kind":"chunk"}'])(
    "are left out: %j",
    (data) => {
      expect(parseEvent(data)).toBeNull();
    },
  );
});
