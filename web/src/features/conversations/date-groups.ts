// Sorts conversations into Today, Yesterday, Previous 7 days, Previous 30 days and months (ui rule R32). Pure.
import type { Conversation } from "@/api/types";
import { daysAgo } from "@/lib/format";

/** `month` groups carry the first moment they hold, to be named in the person's language. */
export type GroupName = "today" | "yesterday" | "week" | "month" | { readonly month: string };

export interface Group {
  readonly key: string;
  readonly name: GroupName;
  readonly conversations: readonly Conversation[];
}

/** Keeps the order it is given (newest activity first). */
export function groupByDate(conversations: readonly Conversation[], now: Date): Group[] {
  const groups = new Map<string, { name: GroupName; conversations: Conversation[] }>();
  for (const conversation of conversations) {
    const moment = conversation.last_message_at ?? conversation.created_at;
    const name = groupName(moment, now);
    const key = typeof name === "string" ? name : name.month.slice(0, 7);
    const group = groups.get(key) ?? { name, conversations: [] };
    group.conversations.push(conversation);
    groups.set(key, group);
  }
  return [...groups].map(([key, group]) => ({ key, ...group }));
}

function groupName(moment: string, now: Date): GroupName {
  const days = daysAgo(moment, now);
  if (days <= 0) return "today";
  if (days === 1) return "yesterday";
  if (days <= 7) return "week";
  if (days <= 30) return "month";
  const date = new Date(moment);
  return { month: `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-01` };
}
