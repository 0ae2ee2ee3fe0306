// Notices what other devices and tabs do to the open chat: a new answer, another version, a title (ui rule R13).
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import type { Conversation, Message } from "@/api/types";
import { keys, patchConversation } from "./api";
import { liveTurn } from "./streams";

/** Milliseconds between two looks at an open chat in which nothing is being written here; hidden tabs do not look. */
export const LOOK_EVERY = 4_000;

/** Reads the messages again when the conversation's end is not the one that is shown; what is being written is joined. */
export function useOtherDevices(conversation: Conversation, messages: readonly Message[]): void {
  const { id, title, head_message_id: head, is_generating: writing } = conversation;
  const client = useQueryClient();
  const asked = useRef("");
  useEffect(() => {
    if (head === null || liveTurn(id) !== undefined) return;
    const isNew = !messages.some((message) => message.id === head);
    // An answer that is continued elsewhere keeps its place and its id.
    const goesOn = writing && messages.at(-1)?.status !== "streaming";
    const state = `${head} ${writing}`;
    // Once for each state: what does not come by asking would not come by asking again.
    if ((!isNew && !goesOn) || asked.current === state) return;
    asked.current = state;
    void client.invalidateQueries({ queryKey: keys.messages(id) });
  }, [client, id, head, writing, messages]);
  useEffect(() => patchConversation(client, id, { title }), [client, id, title]);
}
