// Which version of a message is shown, with a way to those beside it: ‹ 2/3 › (ui rule R21).
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useEffect, useRef } from "react";
import type { Message } from "@/api/types";
import { useT } from "@/i18n";
import { announce } from "@/ui/announcer";
import { Button } from "@/ui/button";
import { useChatActions } from "./chat-actions";

export function VersionPicker({ message }: { readonly message: Message }) {
  const t = useT();
  const { busy, showVersion } = useChatActions();
  const { sibling_index: index, sibling_count: total } = message;
  const label = t("chat.versionOf", { n: index + 1, total });
  const shown = useRef(message.id);
  useEffect(() => {
    if (shown.current !== message.id) announce(label);
    shown.current = message.id;
  }, [message.id, label]);
  if (total < 2) return null;
  const arrow = (step: -1 | 1) => {
    const off = busy || (step < 0 ? index === 0 : index === total - 1);
    const Icon = step < 0 ? ChevronLeft : ChevronRight;
    return (
      <Button
        variant="ghost"
        size="icon-sm"
        // Stays in reach at the ends: a disabled button would drop the keyboard's place.
        aria-disabled={off || undefined}
        aria-label={t(step < 0 ? "chat.versionPrevious" : "chat.versionNext")}
        className="w-7 text-muted-foreground coarse:w-11 aria-disabled:opacity-40"
        onClick={() => {
          if (!off) showVersion(message, step);
        }}
      >
        <Icon className="mirror-rtl" aria-hidden />
      </Button>
    );
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: two buttons and a number, no fields.
    <span
      role="group"
      aria-label={t("chat.versions")}
      className="inline-flex items-center text-md text-muted-foreground"
    >
      {arrow(-1)}
      <span className="sr-only">{label}</span>
      <span aria-hidden className="tabular isolate-ltr">
        {index + 1}/{total}
      </span>
      {arrow(1)}
    </span>
  );
}
