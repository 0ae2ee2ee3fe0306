// The first message of a new chat: whom to ask, and what.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { Link, useLocation, useNavigate, useSearchParams } from "react-router";
import { ApiError, errorSentence } from "@/api/error";
import { canManage, useSession } from "@/api/session";
import type { Assistant } from "@/api/types";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { keyPerBody } from "@/lib/idempotency";
import { preferredAssistant } from "@/lib/ui-store";
import { useTitle } from "@/lib/use-title";
import { Avatar } from "@/ui/badge";
import { Button } from "@/ui/button";
import { SidebarButton } from "@/ui/page";
import { Empty, ErrorState, Loading, Skeleton } from "@/ui/states";
import { assistantsQuery, createConversation, keys, seedConversation } from "./api";
import { Composer } from "./composer";
import { draftPlace } from "./drafts";
import { FileDropGuard } from "./file-drop-guard";
import { chooseModel } from "./model-choice";
import { beginTurn } from "./run-turn";
import { type Refusal, TAKEN_BACK } from "./streams";
import { forgetDraft } from "./use-draft";
import { useReading } from "./use-reading";

/** The same first message keeps its key, so that trying again makes no second conversation. */
const conversationKey = keyPerBody();

export function NewChat({ userId }: { readonly userId: string }) {
  const t = useT();
  const assistants = useQuery(assistantsQuery);
  const canCreate = useSession((session) => canManage(session.user?.role));
  useTitle(t("chat.newTitle"));
  const offered = assistants.data?.assistants ?? [];
  return (
    <FileDropGuard>
      <div className="flex min-h-0 min-w-0 flex-1 flex-col overflow-y-auto">
        <div className="flex h-12 shrink-0 items-center px-3 sm:hidden">
          <SidebarButton className="-ms-1" />
        </div>
        <div className="mx-auto flex w-full max-w-[796px] flex-1 flex-col justify-center px-2.5 pb-[12dvh] sm:px-5">
          <h1 className="mb-6 text-center font-display text-h2 font-semibold tracking-[-0.01em] sm:text-h1">
            {t("chat.heading")}
          </h1>
          {assistants.isPending && (
            <Loading label={t("assistants.loading")}>
              <Skeleton className="h-28 rounded-panel" />
            </Loading>
          )}
          {assistants.error !== null && assistants.data === undefined && (
            <ErrorState
              title={t("error.couldNotLoad", { things: t("chat.assistantsThings") })}
              message={errorSentence(assistants.error, t)}
              requestId={assistants.error instanceof ApiError ? assistants.error.requestId : undefined}
              onRetry={() => void assistants.refetch()}
            />
          )}
          {assistants.isSuccess && offered.length === 0 && (
            <Empty
              title={t("chat.noAssistant.title")}
              body={t(canCreate ? "chat.noAssistant.manager" : "chat.noAssistant.user")}
            >
              {canCreate && (
                <Button asChild variant="primary">
                  <Link to="/assistants/new">{t("chat.noAssistant.create")}</Link>
                </Button>
              )}
            </Empty>
          )}
          {offered.length > 0 && <FirstMessage userId={userId} assistants={offered} />}
        </div>
      </div>
    </FileDropGuard>
  );
}

interface FirstMessageProps {
  readonly userId: string;
  readonly assistants: readonly Assistant[];
}

/** What the dashboard hands over: a question to be sent at once. */
interface Handover {
  readonly ask?: string;
}

function FirstMessage({ userId, assistants }: FirstMessageProps) {
  const t = useT();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [search, setSearch] = useSearchParams();
  const location = useLocation();
  const handover = location.state as Handover | null;
  const [refusal, setRefusal] = useState<Refusal | undefined>(undefined);
  const [creating, setCreating] = useState<AbortController | null>(null);
  const wanted = search.get("assistant");
  const assistant = assistants.find((one) => one.id === wanted) ?? preferredAssistant(assistants, userId);
  const reading = useReading(assistant);
  const assistantId = assistant?.id ?? "";
  const place = draftPlace(null, assistantId);

  const send = useCallback(
    async (content: string, model: string | undefined) => {
      const controller = new AbortController();
      setRefusal(undefined);
      setCreating(controller);
      try {
        const key = conversationKey({ assistantId, content });
        const conversation = await createConversation(assistantId, key, controller.signal);
        seedConversation(client, conversation);
        void client.invalidateQueries({ queryKey: keys.list });
        // The model chosen here is the choice of the chat it becomes.
        chooseModel(draftPlace(conversation.id, null), model);
        const onStored = () => forgetDraft(userId, place, content);
        beginTurn(client, { kind: "send", conversationId: conversation.id, content, model, onStored });
        void navigate(`/chat/${conversation.id}`, { replace: true });
      } catch (error) {
        const reason = controller.signal.aborted ? TAKEN_BACK : error;
        if (!(reason instanceof ApiError)) throw error;
        setCreating(null);
        setRefusal({ content, error: reason, at: Date.now() });
      }
    },
    [assistantId, client, navigate, place, userId],
  );

  const { pathname, search: query } = location;
  const question = handover?.ask?.trim() ?? "";
  const asked = useRef(false);
  useEffect(() => {
    if (question === "" || asked.current || assistantId === "") return;
    asked.current = true;
    // Said once: loading this page again must not send it again.
    void navigate(`${pathname}${query}`, { replace: true, state: null });
    void send(question, undefined);
  }, [question, assistantId, pathname, query, navigate, send]);

  if (assistant === undefined) return null;
  return (
    <>
      <Composer
        key={place}
        userId={userId}
        place={place}
        label={t("chat.compose", { assistant: assistant.name })}
        phase={creating === null ? null : "sending"}
        refusal={refusal}
        autoFocus
        assistantModel={assistant.model}
        reading={reading}
        onSend={(content, model) => void send(content, model)}
        onStop={() => creating?.abort()}
      />
      <fieldset className="mt-4 flex flex-wrap justify-center gap-2">
        <legend className="sr-only">{t("chat.pickAssistant")}</legend>
        {assistants.map((one) => (
          <label
            key={one.id}
            title={one.description ?? undefined}
            className={cn(
              "inline-flex h-10 max-w-full cursor-pointer items-center gap-2 rounded-full border border-border bg-surface ps-1.5 pe-3.5 text-md font-semibold transition-colors duration-120 has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-ring hoverable:hover:bg-muted coarse:h-11",
              one.id === assistant.id && "border-primary bg-accent",
            )}
          >
            <input
              type="radio"
              name="assistant"
              className="sr-only"
              checked={one.id === assistant.id}
              onChange={() => setSearch({ assistant: one.id }, { replace: true })}
            />
            <Avatar name={one.name} src={one.avatar_url} size="sm" />
            <bdi className="truncate">{one.name}</bdi>
          </label>
        ))}
      </fieldset>
    </>
  );
}
