// The model for the next messages of one chat; shown only where there is a choice.
import { useQuery } from "@tanstack/react-query";
import { ChevronDown } from "lucide-react";
import { create } from "zustand";
import type { Model } from "@/api/types";
import { useT } from "@/i18n";
import { modelsQuery } from "./api";

/** Chosen models per place (a chat, or a new chat with some assistant); absent means the assistant's default. */
const useChoices = create<Readonly<Record<string, string>>>(() => ({}));

export function chosenModel(place: string): string | undefined {
  return useChoices.getState()[place];
}

export function chooseModel(place: string, model: string | undefined): void {
  useChoices.setState((choices) => {
    const { [place]: _, ...others } = choices;
    return model === undefined ? others : { ...others, [place]: model };
  }, true);
}

/** The name people know a model by; its id when the list does not have it. */
export function useModelName(): (id: string | null) => string {
  const { data } = useQuery(modelsQuery);
  return (id) => data?.models.find((model) => model.id === id)?.name ?? id ?? "";
}

export function ModelPicker({ place }: { readonly place: string }) {
  const t = useT();
  const { data } = useQuery(modelsQuery);
  const choice = useChoices((choices) => choices[place]);
  const models = data?.models ?? [];
  if (models.length < 2) return null;
  const chosen = models.find((model) => model.id === choice);
  return (
    <div className="relative inline-flex min-w-0 items-center rounded-control text-md font-semibold text-muted-foreground focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-ring hoverable:hover:bg-muted hoverable:hover:text-foreground">
      <span aria-hidden className="truncate py-1.5 ps-2.5 pe-7">
        {chosen?.name ?? t("chat.modelAuto")}
      </span>
      <ChevronDown className="pointer-events-none absolute end-2 size-4 stroke-[1.75]" aria-hidden />
      {/* The browser's own list over our label: it opens natively everywhere and needs no script. */}
      <select
        aria-label={t("chat.model")}
        value={chosen?.id ?? ""}
        onChange={(event) => chooseModel(place, event.target.value === "" ? undefined : event.target.value)}
        className="absolute inset-0 cursor-pointer appearance-none bg-surface text-lg text-foreground opacity-0"
      >
        <option value="">{t("chat.modelDefault")}</option>
        {byProvider(models).map(([provider, offered]) => (
          <optgroup key={provider} label={provider}>
            {offered.map((model) => (
              <option key={model.id} value={model.id}>
                {model.name}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
    </div>
  );
}

function byProvider(models: readonly Model[]): [string, Model[]][] {
  const groups = new Map<string, Model[]>();
  for (const model of models) groups.set(model.provider, [...(groups.get(model.provider) ?? []), model]);
  return [...groups];
}
