// A chat's title while it is being changed in place: Enter and leaving save it, Esc keeps the old one.
import { useEffect, useRef } from "react";
import { errorSentence } from "@/api/error";
import type { Conversation } from "@/api/types";
import { t as translate, useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { toast } from "@/ui/toast";
import { useRename } from "./api";
import { isComposing } from "./composer-keys";

interface RenameFieldProps {
  readonly conversation: Pick<Conversation, "id" | "title">;
  readonly className?: string;
  readonly onDone: () => void;
}

const MAX_TITLE = 200;

export function RenameField({ conversation, className, onDone }: RenameFieldProps) {
  const t = useT();
  const field = useRef<HTMLInputElement>(null);
  const rename = useRename();
  const closed = useRef(false);
  useEffect(() => {
    const take = () => {
      field.current?.focus();
      field.current?.select();
    };
    take();
    // The menu that opened this field may hold the focus for a moment longer.
    const frame = requestAnimationFrame(take);
    return () => cancelAnimationFrame(frame);
  }, []);
  const close = (save: boolean) => {
    if (closed.current) return;
    closed.current = true;
    const title = field.current?.value.trim() ?? "";
    if (save && title !== "" && title !== conversation.title) {
      // This field is gone before the server answers, so the outcome is not tied to it.
      rename
        .mutateAsync({ id: conversation.id, title })
        .catch((error: unknown) =>
          toast({ text: `${translate("chat.renameFailed")} ${errorSentence(error, translate)}` }),
        );
    }
    onDone();
  };
  return (
    <input
      ref={field}
      dir="auto"
      aria-label={t("chat.renameLabel")}
      defaultValue={conversation.title}
      maxLength={MAX_TITLE}
      onBlur={() => close(true)}
      onKeyDown={(event) => {
        const { key, keyCode, nativeEvent } = event;
        if (isComposing({ key, keyCode, isComposing: nativeEvent.isComposing })) return;
        if (key === "Enter") close(true);
        if (key === "Escape") {
          event.stopPropagation();
          close(false);
        }
      }}
      className={cn("min-w-0 flex-1 rounded-control border border-input bg-surface px-2", className)}
    />
  );
}
