// The message an address points to, `/chat/ID?m=MESSAGE`: older messages load until it is there, another version is switched to.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useSearchParams } from "react-router";
import { setHead } from "@/api/tree";
import type { Message } from "@/api/types";
import { t } from "@/i18n";
import { toast } from "@/ui/toast";
import { keys, patchConversation } from "./api";
import type { OlderMessages } from "./transcript";

/** Returns the id of the linked message; null when the address names none. */
export function useLinkedMessage(conversationId: string, messages: readonly Message[], older: OlderMessages) {
  const [search] = useSearchParams();
  const client = useQueryClient();
  const linked = search.get("m");
  const done = useRef<string | null>(null);
  const { more, loading, failed, load } = older;
  useEffect(() => {
    // Once it has been there, the reader may go to another version of it.
    if (messages.some(({ id }) => id === linked)) done.current = linked;
    if (linked === null || done.current === linked || loading || failed) return;
    if (more) {
      load();
      return;
    }
    done.current = linked;
    // The whole active path has been read: it stands on another one, or nowhere.
    setHead(conversationId, linked).then(
      (conversation) => {
        patchConversation(client, conversationId, conversation);
        return client.invalidateQueries({ queryKey: keys.messages(conversationId) });
      },
      () => toast({ text: t("chat.linkGone") }),
    );
  }, [client, conversationId, linked, messages, more, loading, failed, load]);
  return linked;
}
