// What one can do with a whole chat: rename it, have it named, delete it.
import { Ellipsis, PencilLine, Sparkles, Trash2 } from "lucide-react";
import { lazy, Suspense, useRef, useState } from "react";
import { errorSentence } from "@/api/error";
import type { Conversation } from "@/api/types";
import { t as translate, useT } from "@/i18n";
import { formatMoney } from "@/lib/format";
import { useUi } from "@/lib/ui-store";
import { Button } from "@/ui/button";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/ui/menu";
import { toast } from "@/ui/toast";
import { useDelete, useSuggestTitle } from "./api";

// Not needed before somebody deletes a chat.
const ConfirmDialog = lazy(async () => ({ default: (await import("@/ui/dialog")).ConfirmDialog }));

interface ChatMenuProps {
  readonly conversation: Pick<Conversation, "id" | "title" | "cost_usd">;
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
  const opens = useRef(false);
  const removal = useDelete();
  const naming = useSuggestTitle();
  const showCost = useUi((state) => state.showCost);
  const cost = showCost ? (conversation.cost_usd ?? 0) : 0;
  const suggest = () =>
    void naming
      .mutateAsync(conversation.id)
      .catch((error: unknown) =>
        toast({ text: `${translate("chat.titleFailed")} ${errorSentence(error, translate)}` }),
      );
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
        <MenuContent
          align="end"
          onCloseAutoFocus={(event) => {
            // The focus goes to the field or dialog that was opened; else back to the menu's button.
            if (opens.current) event.preventDefault();
            opens.current = false;
          }}
        >
          <MenuItem
            onSelect={() => {
              opens.current = true;
              onRename();
            }}
          >
            <PencilLine aria-hidden />
            {t("chat.rename")}
          </MenuItem>
          <MenuItem disabled={naming.isPending} onSelect={suggest}>
            <Sparkles aria-hidden />
            {t("chat.suggestTitle")}
          </MenuItem>
          {cost > 0 && (
            <div className="px-2 py-1 text-md text-muted-foreground sm:hidden">
              {t("chat.costOfChat", { cost: formatMoney(cost) })}
            </div>
          )}
          <MenuSeparator />
          <MenuItem
            danger
            onSelect={() => {
              opens.current = true;
              setAsking(true);
            }}
          >
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
