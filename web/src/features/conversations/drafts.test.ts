// R16, R18: drafts by person and chat.
import { beforeEach, describe, expect, it } from "vitest";
import { clearUserStorage } from "@/lib/user-storage";
import { draftPlace, readDraft, writeDraft } from "./drafts";

const DAY = 24 * 3_600_000;
const NOW = Date.UTC(2026, 9, 14);

beforeEach(() => {
  localStorage.clear();
});

describe("R16 R18 drafts", () => {
  it("are kept by person, chat, and assistant of a new chat", () => {
    writeDraft("ann", "c1", "one", NOW);
    writeDraft("ann", draftPlace(null, "a1"), "two", NOW);
    writeDraft("ben", "c1", "three", NOW);
    expect(readDraft("ann", "c1", NOW)).toBe("one");
    expect(readDraft("ann", draftPlace(null, "a1"), NOW)).toBe("two");
    expect(readDraft("ann", draftPlace(null, "a2"), NOW)).toBe("");
    expect(readDraft("ben", "c1", NOW)).toBe("three");
  });

  it("go with their person", () => {
    writeDraft("ann", "c1", "one", NOW);
    writeDraft("ben", "c1", "three", NOW);
    clearUserStorage("ann");
    expect(readDraft("ann", "c1", NOW)).toBe("");
    expect(readDraft("ben", "c1", NOW)).toBe("three");
  });

  it("are gone after 30 days, and beyond the fiftieth", () => {
    writeDraft("ann", "old", "x", NOW - 30 * DAY);
    expect(readDraft("ann", "old", NOW)).toBe("");
    for (let n = 0; n < 51; n += 1) writeDraft("ann", `c${n}`, `text ${n}`, NOW + n);
    expect(readDraft("ann", "c0", NOW + 51)).toBe("");
    expect(readDraft("ann", "c1", NOW + 51)).toBe("text 1");
    expect(readDraft("ann", "c50", NOW + 51)).toBe("text 50");
  });

  it("survive a broken store", () => {
    writeDraft("ann", "c1", "one", NOW);
    localStorage.setItem(localStorage.key(0) as string, "{broken");
    expect(readDraft("ann", "c1", NOW)).toBe("");
    writeDraft("ann", "c1", "two", NOW);
    expect(readDraft("ann", "c1", NOW)).toBe("two");
  });
});
