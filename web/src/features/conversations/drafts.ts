// What a person has typed and not sent: kept in this browser per person and chat, for 30 days (ui rules R16, R18).
import { userKey } from "@/lib/user-storage";

const NAME = "drafts";
const MAX_DRAFTS = 50;
const MAX_AGE = 30 * 24 * 3_600_000;
/** Typing pauses this long before it is stored, in milliseconds. */
export const DRAFT_DELAY = 300;

interface Draft {
  readonly text: string;
  readonly at: number;
}

type Drafts = Readonly<Record<string, Draft>>;

/** The place of a draft: a conversation, or a new chat with some assistant. */
export function draftPlace(conversationId: string | null, assistantId: string | null): string {
  return conversationId ?? `new:${assistantId ?? ""}`;
}

export function readDraft(userId: string, place: string, now: number = Date.now()): string {
  const draft = load(userId)[place];
  return draft !== undefined && now - draft.at < MAX_AGE ? draft.text : "";
}

/** Stores the text, or forgets the draft when it is empty; the oldest beyond fifty go. */
export function writeDraft(userId: string, place: string, text: string, now: number = Date.now()): void {
  const { [place]: _, ...others } = load(userId);
  const kept = Object.entries(others)
    .filter(([, draft]) => now - draft.at < MAX_AGE)
    .sort(([, a], [, b]) => b.at - a.at)
    .slice(0, text === "" ? MAX_DRAFTS : MAX_DRAFTS - 1);
  const next = text === "" ? kept : [...kept, [place, { text, at: now }] as const];
  try {
    localStorage.setItem(userKey(userId, NAME), JSON.stringify(Object.fromEntries(next)));
  } catch {
    // The browser's storage is full or shut: the text is still in the composer.
  }
}

function load(userId: string): Drafts {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(userKey(userId, NAME)) ?? "{}");
    return typeof stored === "object" && stored !== null ? (stored as Drafts) : {};
  } catch {
    return {};
  }
}
