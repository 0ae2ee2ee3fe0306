// What the model picker lists, in which order, and which rows a typed word leaves. Pure.
import type { Model } from "@/api/types";
import { providerName } from "@/lib/provider-name";

export interface ModelRow {
  /** Unique in the list: a model may stand in several sections. */
  readonly key: string;
  /** Null is the assistant's default, whatever it may be. */
  readonly model: Model | null;
}

export interface ModelSection {
  readonly name: "default" | "recommended" | "recent" | "provider";
  /** The provider's name where the section holds what one provider offers. */
  readonly provider: string;
  readonly rows: readonly ModelRow[];
}

interface Wanted {
  readonly query: string;
  /** The assistant's own model. */
  readonly recommended: string | undefined;
  /** Ids of those chosen last, newest first. */
  readonly recent: readonly string[];
  /** Whether going back to the assistant's default is one of the choices. */
  readonly withDefault: boolean;
}

export function modelSections(models: readonly Model[], wanted: Wanted): ModelSection[] {
  const words = wanted.query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length > 0) return byProvider(models.filter((model) => matches(model, words)));
  const known = new Map(models.map((model) => [model.id, model]));
  const recommended = known.get(wanted.recommended ?? "");
  const recent = wanted.recent.map((id) => known.get(id)).filter((model) => model !== undefined);
  const sections: ModelSection[] = [
    { name: "default", provider: "", rows: wanted.withDefault ? [{ key: "default", model: null }] : [] },
    section("recommended", "", recommended === undefined ? [] : [recommended]),
    section("recent", "", recent),
    ...byProvider(models),
  ];
  return sections.filter(({ rows }) => rows.length > 0);
}

function section(name: ModelSection["name"], provider: string, models: readonly Model[]): ModelSection {
  return { name, provider, rows: models.map((model) => ({ key: `${name}:${model.id}`, model })) };
}

function byProvider(models: readonly Model[]): ModelSection[] {
  const groups = new Map<string, Model[]>();
  for (const model of models) groups.set(model.provider, [...(groups.get(model.provider) ?? []), model]);
  return [...groups].map(([provider, offered]) => section("provider", provider, offered));
}

/** Every word must be in the name, the id or the provider's name. */
function matches({ name, id, provider }: Model, words: readonly string[]): boolean {
  const text = `${name} ${id} ${provider} ${providerName(provider)}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
