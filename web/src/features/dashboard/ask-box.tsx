// A place to ask at once, with the assistant of one's choice.
import { ArrowUp } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
import { useSession } from "@/api/session";
import type { Assistant } from "@/api/types";
import { useT } from "@/i18n";
import { preferredAssistant, useUi } from "@/lib/ui-store";
import { Button } from "@/ui/button";
import { NativeSelect } from "@/ui/input";

interface AskBoxProps {
  assistants: readonly Assistant[];
  onAsk: (assistantId: string, text: string) => void;
}

/** A phone's Enter makes a line; a keyboard's does as the person chose, unless it ends a word being composed. */
function sends(event: KeyboardEvent): boolean {
  const { nativeEvent } = event;
  if (event.key !== "Enter" || event.shiftKey || nativeEvent.isComposing || nativeEvent.keyCode === 229) return false;
  if (event.ctrlKey || event.metaKey) return true;
  return (
    useUi.getState().enterKey === "sends" &&
    !window.matchMedia("(pointer: coarse) and (not (any-pointer: fine))").matches
  );
}

export function AskBox({ assistants, onAsk }: AskBoxProps) {
  const t = useT();
  const [text, setText] = useState("");
  const userId = useSession((state) => state.user?.id);
  const [picked, setPicked] = useState("");
  const assistant = assistants.find((each) => each.id === picked) ?? preferredAssistant(assistants, userId);
  if (assistant === undefined) return null;
  const ask = () => onAsk(assistant.id, text.trim());
  return (
    <form
      className="rounded-panel border border-input bg-surface p-3 focus-within:outline-2 focus-within:outline-offset-1 focus-within:outline-ring"
      onSubmit={(event) => {
        event.preventDefault();
        ask();
      }}
    >
      <textarea
        rows={1}
        dir={text === "" ? undefined : "auto"}
        className="field-sizing-content block max-h-[40dvh] min-h-14 w-full resize-none bg-transparent px-1 text-lg outline-none"
        placeholder={t("dashboard.ask")}
        aria-label={t("dashboard.askLabel")}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (!sends(event)) return;
          event.preventDefault();
          ask();
        }}
      />
      <div className="mt-1 flex items-center justify-between gap-3">
        <div className="min-w-0 max-w-64">
          <NativeSelect
            className="h-8 border-border bg-transparent text-md font-semibold"
            aria-label={t("dashboard.assistant")}
            value={assistant.id}
            onChange={(event) => setPicked(event.target.value)}
          >
            {assistants.map((each) => (
              <option key={each.id} value={each.id}>
                {each.name}
              </option>
            ))}
          </NativeSelect>
        </div>
        <Button type="submit" variant="primary" size="sm">
          {t("dashboard.send")}
          <ArrowUp aria-hidden />
        </Button>
      </div>
    </form>
  );
}
