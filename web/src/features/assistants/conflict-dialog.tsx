// Someone else saved first: shows both versions field by field and lets the person choose.
import type { Model } from "@/api/types";
import { type MessageKey, useT } from "@/i18n";
import { formatNumber } from "@/lib/format";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
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

interface ConflictDialogProps {
  mine: AssistantValues;
  theirs: AssistantValues;
  models: readonly Model[];
  onKeepMine: () => void;
  onTakeTheirs: () => void;
}

export function ConflictDialog({ mine, theirs, models, onKeepMine, onTakeTheirs }: ConflictDialogProps) {
  const t = useT();
  const shown = (name: keyof AssistantValues, values: AssistantValues): string => {
    const value = values[name];
    if (name === "model") return modelName(values.model || null, models, t("assistants.defaultModel"));
    return typeof value === "number" ? formatNumber(value) : value || "–";
  };
  const differing = (Object.keys(labels) as (keyof AssistantValues)[]).filter((name) => mine[name] !== theirs[name]);
  return (
    <Dialog
      open
      dismissible={false}
      onOpenChange={() => {}}
      className="sm:max-w-2xl"
      title={t("conflict.title")}
      description={t("conflict.body")}
    >
      <dl className="flex flex-col gap-4">
        {differing.map((name) => (
          <div key={name}>
            <dt className="font-semibold">{t(labels[name] as "field.name")}</dt>
            <dd className="mt-1 grid gap-2 sm:grid-cols-2">
              {[
                { side: t("conflict.mine"), values: mine },
                { side: t("conflict.theirs"), values: theirs },
              ].map(({ side, values }) => (
                <div key={side} className="rounded-control border p-2.5">
                  <p className="text-sm text-muted-foreground">{side}</p>
                  <p className="mt-0.5 max-h-40 overflow-y-auto whitespace-pre-wrap break-words" dir="auto">
                    {shown(name, values)}
                  </p>
                </div>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onTakeTheirs}>{t("conflict.takeTheirs")}</Button>
        <Button variant="primary" onClick={onKeepMine}>
          {t("conflict.keepMine")}
        </Button>
      </div>
    </Dialog>
  );
}
