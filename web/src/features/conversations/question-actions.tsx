// The line under a question: its versions, and what can be done with it (ui rules R20, R21, R23).
import { PencilLine } from "lucide-react";
import type { RefObject } from "react";
import type { Message } from "@/api/types";
import { useT } from "@/i18n";
import { copyText } from "@/lib/clipboard";
import { cn } from "@/lib/cn";
import { formatDateTime } from "@/lib/format";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { useChatActions } from "./chat-actions";
import { selectContents } from "./copy";
import { MoreButton } from "./more-button";
import { VersionPicker } from "./version-picker";

interface QuestionActionsProps {
  readonly message: Message;
  readonly isLast: boolean;
  readonly text: RefObject<HTMLElement | null>;
}

/** It lies in the gap between two messages, so that it takes no room of its own. */
export const QUESTION_LINE = "h-2 coarse:h-6";

export function QuestionActions({ message, isLast, text }: QuestionActionsProps) {
  const t = useT();
  const { busy, readOnly, edit } = useChatActions();
  const hidden = "max-sm:hidden coarse:hidden";
  const copy = async () => {
    const done = await copyText(message.content);
    if (!done && text.current !== null) selectContents(text.current);
    return done;
  };
  return (
    <div className={cn("flex w-full justify-end", QUESTION_LINE)}>
      <div className="flex h-8 items-center text-md text-muted-foreground coarse:h-11">
        {message.edited_at !== null && (
          <span title={formatDateTime(message.edited_at)} className="px-1">
            {t("chat.edited")}
          </span>
        )}
        <VersionPicker message={message} />
        <div
          className={cn(
            "flex items-center transition-opacity duration-120 has-aria-expanded:opacity-100",
            !isLast && "hoverable:opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 coarse:opacity-100",
          )}
        >
          {!readOnly && (
            <Button
              variant="ghost"
              size="icon-sm"
              aria-disabled={busy || undefined}
              aria-label={t("chat.edit")}
              className={cn("text-muted-foreground", hidden)}
              onClick={() => {
                if (!busy) edit(message);
              }}
            >
              <PencilLine aria-hidden />
            </Button>
          )}
          <CopyButton label={<span className="sr-only">{t("chat.copy")}</span>} copy={copy} className={hidden} />
          <MoreButton message={message} text={text} onTryWith={undefined} />
        </div>
      </div>
    </div>
  );
}
