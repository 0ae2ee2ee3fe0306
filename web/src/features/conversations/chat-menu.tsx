// What one can do with a whole chat: rename and delete it.
import { Ellipsis, PencilLine, Trash2 } from "lucide-react";
import { lazy, Suspense, useRef, useState } from "react";
import { errorSentence } from "@/api/error";
import type { Conversation } from "@/api/types";
import { t as translate, useT } from "@/i18n";
import { Button } from "@/ui/button";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/ui/menu";
import { toast } from "@/ui/toast";
import { useDelete } from "./api";

// Not needed before somebody deletes a chat.
const ConfirmDialog = lazy(async () => ({ default: (await import("@/ui/dialog")).ConfirmDialog }));

interface ChatMenuProps {
  readonly conversation: Pick<Conversation, "id" | "title">;
  readonly label: string;
  readonly className?: string;
  readonly onRename: () => void;
  /** Called once the chat is gone. */
  readonly onDeleted: () => void;
}

export function ChatMenu({ conversation, label, className, onRename, onDeleted }: ChatMenuProps) {
  const t = useT();
  const [asking, setAsking] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const removal = useDelete();
  // The row this menu stands in goes with the chat, so the outcome is not tied to it.
  const remove = () =>
    removal.mutateAsync(conversation.id).then(
      () => {
        toast({ text: translate("chat.deleted") });
        setAsking(false);
        onDeleted();
      },
      (error: unknown) => {
        toast({ text: `${translate("chat.deleteFailed")} ${errorSentence(error, translate)}` });
        setAsking(false);
      },
    );
  return (
    <>
      <Menu>
        <MenuTrigger>
          <Button ref={opener} variant="ghost" size="icon-sm" className={className} aria-label={label}>
            <Ellipsis aria-hidden />
          </Button>
        </MenuTrigger>
        {/* The menu gives the focus to the field or dialog it opens, not back to its button. */}
        <MenuContent align="end" onCloseAutoFocus={(event) => event.preventDefault()}>
          <MenuItem onSelect={onRename}>
            <PencilLine aria-hidden />
            {t("chat.rename")}
          </MenuItem>
          <MenuSeparator />
          <MenuItem danger onSelect={() => setAsking(true)}>
            <Trash2 aria-hidden />
            {t("chat.delete")}
          </MenuItem>
        </MenuContent>
      </Menu>
      <Suspense>
        {asking && (
          <ConfirmDialog
            open={asking}
            onOpenChange={(open) => {
              setAsking(open);
              // The menu item that asked is gone: the keyboard goes back to the menu's button.
              if (!open) setTimeout(() => opener.current?.focus());
            }}
            title={t("chat.deleteTitle", { title: conversation.title || t("chat.untitled") })}
            description={t("chat.deleteBody")}
            confirmLabel={t("chat.deleteConfirm")}
            pending={removal.isPending}
            onConfirm={() => void remove()}
          />
        )}
      </Suspense>
    </>
  );
}
