// What the open chat does when its reader asks for something: the handlers behind the buttons of every message.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useNavigate } from "react-router";
import { errorSentence } from "@/api/error";
import { correctMessage, forkAt } from "@/api/tree";
import type { Conversation, Message } from "@/api/types";
import { t } from "@/i18n";
import { newId } from "@/lib/idempotency";
import { toast } from "@/ui/toast";
import { assistantsQuery, conversationQuery, keys, loadedMessages, modelsQuery, swapMessages } from "./api";
import type { ChatActions } from "./chat-actions";
import type { Quotation } from "./composer";
import { asQuote } from "./copy";
import { chosenModel } from "./model-choice";
import { beginTurn, stopTurn, whenIdle } from "./run-turn";
import { dropRefusal, liveTurn } from "./streams";
import { moveToVersion } from "./versions";

/** The message whose words are being changed. */
export interface Editing {
  readonly kind: "edit" | "correct";
  readonly message: Message;
}

export function usePageActions(conversation: Conversation, place: string, busy: boolean) {
  const { id, assistant_id, assistant_deleted: readOnly } = conversation;
  const client = useQueryClient();
  const navigate = useNavigate();
  const [editing, setEditing] = useState<Editing | null>(null);
  const [quotation, setQuotation] = useState<Quotation | null>(null);
  const { data: assistants } = useQuery(assistantsQuery);
  const { data: models } = useQuery(modelsQuery);
  const own = assistants?.assistants.find((one) => one.id === assistant_id)?.model;
  const defaultModel = own ?? models?.models.find((model) => model.is_default)?.id;

  const actions = useMemo((): ChatActions => {
    const tryAgain = (message: Message, model = chosenModel(place)) =>
      beginTurn(client, { kind: "regenerate", conversationId: id, target: message, model });
    return {
      busy,
      readOnly,
      defaultModel,
      tryAgain,
      goOn: (message) => beginTurn(client, { kind: "continue", conversationId: id, target: message }),
      edit: (message) => setEditing({ kind: "edit", message }),
      correct: (message) => setEditing({ kind: "correct", message }),
      quote: (text) => setQuotation({ text: asQuote(text), at: performance.now() }),
      showVersion: (message, step) => void moveToVersion(client, message, step).catch(say("chat.versionFailed")),
      fork: (message) =>
        void forkAt(id, message.id, newId()).then((copy) => {
          client.setQueryData(conversationQuery(copy.id).queryKey, copy);
          void client.invalidateQueries({ queryKey: keys.list });
          toast({ text: t("chat.forked") });
          void navigate(`/chat/${copy.id}`);
        }, say("chat.forkFailed")),
      stop: () => void stop(id),
      switchModel: (model) => {
        const messageId = liveTurn(id)?.turn.messageId;
        void stop(id).then(() =>
          whenIdle(id, () => {
            const stopped = loadedMessages(client, id).find((message) => message.id === messageId);
            if (stopped !== undefined) tryAgain(stopped, model);
          }),
        );
      },
    };
  }, [client, navigate, id, place, busy, readOnly, defaultModel]);

  const save = async ({ kind, message }: Editing, content: string) => {
    if (kind === "edit") {
      beginTurn(client, { kind, conversationId: id, target: message, content, model: chosenModel(place) });
    } else {
      swapMessages(client, id, [await correctMessage(id, message.id, content)]);
    }
    setEditing(null);
  };
  const close = () => {
    setEditing(null);
    dropRefusal(id);
  };
  return { actions, editing, save, close, quotation };
}

async function stop(conversationId: string): Promise<void> {
  if (!(await stopTurn(conversationId))) toast({ text: t("chat.stopFailed") });
}

type Failure = "chat.versionFailed" | "chat.forkFailed";

/** Says in a passing notice that it did not work, and why. */
function say(key: Failure): (error: unknown) => void {
  return (error) => void toast({ text: `${t(key)} ${errorSentence(error, t)}` });
}
