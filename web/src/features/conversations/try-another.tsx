// A button that has the same question answered by another model; nothing where there is only one.
import { Suspense, useRef, useState } from "react";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { useChatActions } from "./chat-actions";
import { ModelPopover, useHasModels } from "./model-picker";

interface TryAnotherProps {
  /** The model that was asked, if it is known. */
  readonly chosen: string | undefined;
  readonly onChoose: (model: string) => void;
}

export function TryAnother({ chosen, onChoose }: TryAnotherProps) {
  const t = useT();
  const { defaultModel } = useChatActions();
  const hasModels = useHasModels();
  const anchor = useRef<HTMLButtonElement>(null);
  const [choosing, setChoosing] = useState(false);
  if (!hasModels) return null;
  return (
    <>
      <Button
        ref={anchor}
        size="sm"
        aria-haspopup="dialog"
        aria-expanded={choosing}
        onClick={() => setChoosing(!choosing)}
      >
        {t("chat.tryAnother")}
      </Button>
      {choosing && (
        <Suspense>
          <ModelPopover
            anchor={anchor}
            label={t("chat.tryAnother")}
            recommended={defaultModel}
            chosen={chosen}
            withDefault={false}
            onChoose={(model) => {
              if (model !== undefined) onChoose(model);
            }}
            onClose={() => setChoosing(false)}
          />
        </Suspense>
      )}
    </>
  );
}
