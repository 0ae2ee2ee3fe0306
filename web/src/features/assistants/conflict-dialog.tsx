// The fields of an assistant in which two versions differ, when someone else saved first.
import type { Model } from "@/api/types";
import { type MessageKey, useT } from "@/i18n";
import { formatNumber } from "@/lib/format";
import { ConflictDialog } from "@/ui/conflict-dialog";
import { modelName } from "./assistant-card";
import type { AssistantValues } from "./assistant-schema";

const labels: Record<keyof AssistantValues, MessageKey & `${"assistant" | "field"}.${string}`> = {
  name: "field.name",
  description: "assistant.description",
  instructions: "assistant.instructions",
  model: "assistant.model",
  temperature: "assistant.temperature",
  max_tokens: "assistant.maxTokens",
};

interface AssistantConflictProps {
  mine: AssistantValues;
  theirs: AssistantValues;
  models: readonly Model[];
  onKeepMine: () => void;
  onTakeTheirs: () => void;
}

export function AssistantConflict({ mine, theirs, models, onKeepMine, onTakeTheirs }: AssistantConflictProps) {
  const t = useT();
  const shown = (name: keyof AssistantValues, values: AssistantValues): string => {
    const value = values[name];
    if (name === "model") return modelName(values.model || null, models, t("assistants.defaultModel"));
    return typeof value === "number" ? formatNumber(value) : value || "–";
  };
  const differing = (Object.keys(labels) as (keyof AssistantValues)[]).filter((name) => mine[name] !== theirs[name]);
  const fields = differing.map((name) => ({
    key: name,
    label: t(labels[name] as "field.name"),
    mine: shown(name, mine),
    theirs: shown(name, theirs),
  }));
  return <ConflictDialog fields={fields} onKeepMine={onKeepMine} onTakeTheirs={onTakeTheirs} />;
}
