// R32: the sections of the sidebar.
import { expect, it } from "vitest";
import type { Conversation } from "@/api/types";
import { groupByDate } from "./date-groups";

const NOW = new Date(2026, 9, 14, 12);
const on = (id: string, year: number, month: number, day: number) =>
  ({ id, created_at: "", last_message_at: new Date(year, month - 1, day, 23).toISOString() }) as Conversation;

it("R32 sorts into today, yesterday, 7 days, 30 days and months, keeping the order", () => {
  const groups = groupByDate(
    [
      on("a", 2026, 10, 14),
      on("b", 2026, 10, 13),
      on("c", 2026, 10, 12),
      on("d", 2026, 10, 7),
      on("e", 2026, 10, 6),
      on("f", 2026, 9, 14),
      on("g", 2026, 9, 13),
      on("h", 2026, 9, 1),
      on("i", 2025, 9, 1),
    ],
    NOW,
  );
  expect(groups.map(({ name, conversations }) => [name, conversations.map(({ id }) => id).join("")])).toEqual([
    ["today", "a"],
    ["yesterday", "b"],
    ["week", "cd"],
    ["month", "ef"],
    [{ month: "2026-09-01" }, "gh"],
    [{ month: "2025-09-01" }, "i"],
  ]);
});
