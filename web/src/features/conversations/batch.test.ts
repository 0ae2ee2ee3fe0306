// R8: at most one drawing every 40 ms, every half second in a hidden tab.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { StreamEvent } from "@/api/sse";
import { createBatch, HIDDEN_INTERVAL, VISIBLE_INTERVAL } from "./batch";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const word = (content: string): StreamEvent => ({ type: "chunk", content });

it("R8 hands events over together, in order, at most every 40 ms", () => {
  const apply = vi.fn();
  const batch = createBatch(apply);
  for (let at = 0; at < 400; at += 5) {
    batch.add(word(`${at}`));
    vi.advanceTimersByTime(5);
  }
  vi.advanceTimersByTime(VISIBLE_INTERVAL + 20);
  expect(apply.mock.calls.length).toBeLessThanOrEqual(400 / VISIBLE_INTERVAL + 1);
  const order = apply.mock.calls.flatMap(([events]) => events as StreamEvent[]);
  expect(order.map((event) => (event.type === "chunk" ? Number(event.content) : -1))).toEqual(
    Array.from({ length: 80 }, (_, n) => n * 5),
  );
});

it("R8 waits half a second while the tab is hidden", () => {
  vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  const apply = vi.fn();
  const batch = createBatch(apply);
  batch.add(word("a"));
  vi.advanceTimersByTime(HIDDEN_INTERVAL - 1);
  expect(apply).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(apply).toHaveBeenCalledWith([word("a")]);
});

it("hands over at once on request, and only once", () => {
  const apply = vi.fn();
  const batch = createBatch(apply);
  batch.add(word("a"));
  batch.flush();
  vi.advanceTimersByTime(1000);
  expect(apply).toHaveBeenCalledTimes(1);
});
