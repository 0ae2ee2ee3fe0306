// R26: what the picker offers, in which order.
import { describe, expect, it } from "vitest";
import { aModel } from "@/testing/factories";
import { modelSections } from "./model-list";

const sonnet = aModel();
const mini = aModel({ id: "openai/mini", name: "Mini", provider: "openai" });
const flash = aModel({ id: "google/flash", name: "Flash", provider: "google" });
const models = [sonnet, mini, flash];
const plain = { query: "", recommended: undefined, recent: [], withDefault: false };
const names = (wanted: Partial<Parameters<typeof modelSections>[1]>) =>
  modelSections(models, { ...plain, ...wanted }).map(({ name, provider, rows }) => [
    name === "provider" ? provider : name,
    ...rows.map((row) => row.model?.name ?? "default"),
  ]);

describe("R26 the list of models", () => {
  it("begins with the assistant's default, the recommended one and the last chosen ones", () => {
    expect(names({ recommended: sonnet.id, recent: [flash.id, "gone/model"], withDefault: true })).toEqual([
      ["default", "default"],
      ["recommended", "Claude Sonnet"],
      ["recent", "Flash"],
      ["anthropic", "Claude Sonnet"],
      ["openai", "Mini"],
      ["google", "Flash"],
    ]);
  });

  it("leaves what matches every typed word, in the name or the provider, each once", () => {
    expect(names({ query: "openai mi", recommended: mini.id, recent: [mini.id] })).toEqual([["openai", "Mini"]]);
    expect(names({ query: "anthropic" })).toEqual([["anthropic", "Claude Sonnet"]]);
    expect(names({ query: "nothing like it" })).toEqual([]);
  });

  it("gives every row a key of its own", () => {
    const rows = modelSections(models, { ...plain, recommended: mini.id, recent: [mini.id] }).flatMap(
      (section) => section.rows,
    );
    expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
  });
});
