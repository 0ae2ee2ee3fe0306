// The top of a conversation: its title, renamed in place, the assistant it is with, and its menu.
import { PencilLine } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { Link } from "react-router";
import type { Conversation } from "@/api/types";
import { useT } from "@/i18n";
import { formatMoney } from "@/lib/format";
import { useUi } from "@/lib/ui-store";
import { Button } from "@/ui/button";
import { SidebarButton } from "@/ui/page";
import { RenameField } from "./rename-field";

// Menus are not needed for the first paint.
const ChatMenu = lazy(async () => ({ default: (await import("./chat-menu")).ChatMenu }));

interface ChatHeaderProps {
  readonly conversation: Conversation;
  readonly onDeleted: () => void;
}

export function ChatHeader({ conversation, onDeleted }: ChatHeaderProps) {
  const t = useT();
  const [renaming, setRenaming] = useState(false);
  const title = conversation.title || t("chat.untitled");
  return (
    <header className="flex h-12 shrink-0 items-center gap-1 border-b border-border px-3 sm:h-[52px] sm:px-5">
      <SidebarButton className="-ms-1" />
      {renaming ? (
        <RenameField
          conversation={conversation}
          onDone={() => setRenaming(false)}
          className="h-9 max-w-md font-display text-lg font-semibold"
        />
      ) : (
        <>
          <h1 className="min-w-0 truncate font-display text-[1.125rem]/6 font-semibold" title={title}>
            <bdi>{title}</bdi>
          </h1>
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label={t("chat.rename")}
            className="text-muted-foreground max-sm:hidden"
            onClick={() => setRenaming(true)}
          >
            <PencilLine aria-hidden />
          </Button>
        </>
      )}
      <span className="flex-1" />
      <ChatCost cost={conversation.cost_usd} />
      <Link
        to={`/assistants/${conversation.assistant_id}`}
        className="hidden h-[30px] max-w-56 items-center rounded-control border border-border bg-surface px-2.5 text-md font-semibold hoverable:hover:bg-muted sm:inline-flex"
      >
        <bdi className="truncate">{conversation.assistant_name}</bdi>
      </Link>
      <Suspense fallback={<span className="-me-1.5 size-8 coarse:size-11" />}>
        <ChatMenu
          conversation={conversation}
          label={t("chat.menu")}
          className="-me-1.5"
          onRename={() => setRenaming(true)}
          onDeleted={onDeleted}
        />
      </Suspense>
    </header>
  );
}

/** What the chat has cost so far; on a phone its menu says it. */
function ChatCost({ cost }: { readonly cost: number | null }) {
  const t = useT();
  const shown = useUi((state) => state.showCost);
  if (!shown || cost === null || cost === 0) return null;
  const words = t("chat.costOfChat", { cost: formatMoney(cost) });
  return (
    <span className="tabular me-1 text-md text-muted-foreground max-sm:hidden" title={words}>
      <span className="sr-only">{words}</span>
      <span aria-hidden>{formatMoney(cost)}</span>
    </span>
  );
}
