// The Hebrew catalogue says the same as the English one: same values in every sentence, every number form.
import { describe, expect, it } from "vitest";
import { applyLanguage, t } from ".";
import { adminEn } from "./admin.en";
import { adminHe } from "./admin.he";
import { chatEn } from "./chat.en";
import { chatHe } from "./chat.he";
import { en } from "./en";
import { governanceEn } from "./governance.en";
import { governanceHe } from "./governance.he";
import { he } from "./he";
import { knowledgeEn } from "./knowledge.en";
import { knowledgeHe } from "./knowledge.he";
import { settingsEn } from "./settings.en";
import { settingsHe } from "./settings.he";
import type { Catalogue, Plural } from "./types";
import { usageEn } from "./usage.en";
import { usageHe } from "./usage.he";

function names(message: string | Plural): string[] {
  const text = typeof message === "string" ? message : message.other;
  return [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "").sort();
}

describe.each<[string, Catalogue, Catalogue]>([
  ["app", en, he],
  ["chat", chatEn, chatHe],
  ["administrator's pages", adminEn, adminHe],
  ["dashboard, quotas and system settings", governanceEn, governanceHe],
  ["passages and knowledge", knowledgeEn, knowledgeHe],
  ["own settings", settingsEn, settingsHe],
  ["figures of use", usageEn, usageHe],
])("catalogue of the %s", (_, english, hebrew) => {
  it.each(Object.keys(english))("%s keeps its values in Hebrew", (key) => {
    const [one, other] = [english[key], hebrew[key]];
    if (one === undefined || other === undefined) throw new Error(`${key} is missing`);
    expect(names(other)).toEqual(names(one));
  });
});

describe("t", () => {
  it("puts numbers in the person's way and picks the form", async () => {
    expect(t("assistants.files", { count: 1 })).toBe("1 file");
    expect(t("assistants.files", { count: 1200 })).toBe("1,200 files");
    await applyLanguage("he");
    expect(t("assistants.files", { count: 2 })).toBe("שני קבצים");
    expect(document.documentElement).toHaveAttribute("dir", "rtl");
    expect(document.documentElement).toHaveAttribute("lang", "he");
  });
});
