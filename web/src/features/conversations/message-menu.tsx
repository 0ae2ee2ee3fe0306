// Everything one can do with a message, behind “⋯”; on a touch screen the only door to it (ui rule R23).
import { Copy, FileText, GitBranchPlus, PencilLine, Quote, RefreshCw, Replace, SpellCheck2 } from "lucide-react";
import type { RefObject } from "react";
import type { Message } from "@/api/types";
import { t as translate, useT } from "@/i18n";
import { copyText } from "@/lib/clipboard";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/ui/menu";
import { toast } from "@/ui/toast";
import { useChatActions } from "./chat-actions";
import { copyAnswer, quotable } from "./copy";
import { plainText } from "./plain-text";

export interface MessageMenuProps {
  readonly message: Message;
  /** The drawn text of the message. */
  readonly text: RefObject<HTMLElement | null>;
  /** Opens the choice of another model to try again with; absent where there is none. */
  readonly onTryWith: (() => void) | undefined;
}

const FORMS = {
  rich: { rich: true },
  plain: { rich: false, words: plainText },
  markdown: { rich: false },
} as const;

/** Drawn when it is asked for, and opens at once. */
export function MessageMenu({
  message,
  text,
  onTryWith,
  children,
}: MessageMenuProps & { readonly children: React.ReactElement }) {
  const t = useT();
  const { busy, readOnly, tryAgain, edit, correct, fork, quote } = useChatActions();
  const { role, content, citations } = message;
  const isAnswer = role === "assistant";
  const copy = async (form: (typeof FORMS)[keyof typeof FORMS]) => {
    const done = isAnswer
      ? await copyAnswer({ content, citations, element: text.current }, form)
      : await copyText(content);
    toast({ text: translate(done ? "done.copied" : "done.copyManually") });
  };
  return (
    <Menu defaultOpen>
      <MenuTrigger>{children}</MenuTrigger>
      <MenuContent align="start">
        {!isAnswer && (
          <MenuItem disabled={busy || readOnly} onSelect={() => edit(message)}>
            <PencilLine aria-hidden />
            {t("chat.edit")}
          </MenuItem>
        )}
        <MenuItem disabled={content === ""} onSelect={() => void copy(FORMS.rich)}>
          <Copy aria-hidden />
          {t("chat.copy")}
        </MenuItem>
        {isAnswer && content !== "" && (
          <>
            <MenuItem onSelect={() => void copy(FORMS.plain)}>
              <FileText aria-hidden />
              {t("chat.copyPlain")}
            </MenuItem>
            <MenuItem onSelect={() => void copy(FORMS.markdown)}>
              <FileText aria-hidden />
              {t("chat.copyMarkdown")}
            </MenuItem>
          </>
        )}
        <MenuItem disabled={readOnly || content === ""} onSelect={() => quote(quotable(text.current, content))}>
          <Quote aria-hidden />
          {t("chat.quote")}
        </MenuItem>
        {isAnswer && !readOnly && (
          <>
            <MenuSeparator />
            <MenuItem disabled={busy} onSelect={() => tryAgain(message)}>
              <RefreshCw aria-hidden />
              {t("chat.tryAgain")}
            </MenuItem>
            {onTryWith !== undefined && (
              <MenuItem disabled={busy} onSelect={onTryWith}>
                <Replace aria-hidden />
                {t("chat.tryAgainWith")}…
              </MenuItem>
            )}
          </>
        )}
        <MenuSeparator />
        <MenuItem disabled={busy} onSelect={() => fork(message)}>
          <GitBranchPlus aria-hidden />
          {t("chat.fork")}
        </MenuItem>
        {!readOnly && (
          <MenuItem disabled={busy} onSelect={() => correct(message)}>
            <SpellCheck2 aria-hidden />
            {t("chat.correct")}
          </MenuItem>
        )}
      </MenuContent>
    </Menu>
  );
}
