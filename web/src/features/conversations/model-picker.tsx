// The model for the next messages of one chat; shown only where there is a choice (ui rule R26).
import { useQuery } from "@tanstack/react-query";
import { ChevronDown } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { modelsQuery } from "./api";
import { chooseModel, useModelChoices } from "./model-choice";

// The list comes when somebody opens it.
const popover = () => import("./model-popover");
export const ModelPopover = lazy(() => popover().then((module) => ({ default: module.ModelPopover })));

/** The name people know a model by; its id when the list does not have it. */
export function useModelName(): (id: string | null) => string {
  const { data } = useQuery(modelsQuery);
  return (id) => data?.models.find((model) => model.id === id)?.name ?? id ?? "";
}

/** Whether there is more than one model to choose from. */
export function useHasModels(): boolean {
  const { data } = useQuery(modelsQuery);
  return (data?.models.length ?? 0) > 1;
}

/** The model chosen for a place, unless it is no longer on offer. */
export function useChosenModel(place: string): string | undefined {
  const { data } = useQuery(modelsQuery);
  const choice = useModelChoices((choices) => choices.places[place]);
  return data === undefined || data.models.some((model) => model.id === choice) ? choice : undefined;
}

interface ModelPickerProps {
  readonly place: string;
  /** The assistant's own model; null leaves it to the server. */
  readonly assistantModel: string | null;
}

export function ModelPicker({ place, assistantModel }: ModelPickerProps) {
  const t = useT();
  const { data } = useQuery(modelsQuery);
  const chosen = useChosenModel(place);
  const name = useModelName();
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const offered = useHasModels();
  // The shortcut of the page names no picker: it asks whichever is there.
  useEffect(() => {
    const show = () => setOpen(true);
    window.addEventListener(OPEN_MODELS, show);
    return () => window.removeEventListener(OPEN_MODELS, show);
  }, []);
  if (!offered) return null;
  return (
    <>
      <Button
        ref={button}
        variant="ghost"
        size="sm"
        aria-haspopup="dialog"
        aria-expanded={open}
        aria-label={`${t("chat.model")}: ${chosen === undefined ? t("chat.modelAuto") : name(chosen)}`}
        onPointerEnter={() => void popover()}
        onClick={() => setOpen(!open)}
        className="min-w-0 shrink text-muted-foreground hoverable:hover:text-foreground"
      >
        <bdi className="truncate">{chosen === undefined ? t("chat.modelAuto") : name(chosen)}</bdi>
        <ChevronDown aria-hidden />
      </Button>
      <Suspense>
        {open && (
          <ModelPopover
            anchor={button}
            label={t("chat.model")}
            recommended={assistantModel ?? data?.models.find((model) => model.is_default)?.id}
            chosen={chosen ?? null}
            withDefault
            onChoose={(model) => chooseModel(place, model)}
            onClose={() => setOpen(false)}
          />
        )}
      </Suspense>
    </>
  );
}

const OPEN_MODELS = "ai-across:open-models";

/** Opens the picker of the page, if it has one. */
export function openModelPicker(): void {
  window.dispatchEvent(new Event(OPEN_MODELS));
}
