// One conversation: header, transcript, composer and, when asked for, the sources of an answer.
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { ApiError, errorSentence } from "@/api/error";
import type { Conversation, Message } from "@/api/types";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/button";
import { InlineNotice } from "@/ui/notice";
import { SidebarButton } from "@/ui/page";
import { Empty, ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { assistantsQuery, conversationQuery, flattenMessages, messagesQuery } from "./api";
import { ChatActionsContext } from "./chat-actions";
import { ChatHeader } from "./chat-header";
import { Composer } from "./composer";
import { draftPlace } from "./drafts";
import { FileDropGuard } from "./file-drop-guard";
import { openModelPicker } from "./model-picker";
import { beginTurn, resumeTurn } from "./run-turn";
import type { SourceFocus } from "./sources-panel";
import { dropRefusal, useStreams, useTurnOutline } from "./streams";
import { type OlderMessages, Transcript } from "./transcript";
import { useAnnouncements } from "./use-announcements";
import { useChatKeys } from "./use-chat-keys";
import { forgetDraft } from "./use-draft";
import { useLinkedMessage } from "./use-linked-message";
import { LOOK_EVERY, useOtherDevices } from "./use-other-devices";
import { type Editing, usePageActions } from "./use-page-actions";
import { useReading } from "./use-reading";

const EditDialog = lazy(async () => ({ default: (await import("./edit-dialog")).EditDialog }));
const SourcesPanel = lazy(async () => ({ default: (await import("./sources-panel")).SourcesPanel }));

interface ConversationViewProps {
  readonly id: string;
  readonly userId: string;
}

export function ConversationView({ id, userId }: ConversationViewProps) {
  const t = useT();
  const writing = useStreams((state) => state.turns[id] !== undefined);
  // What other devices do to this chat is noticed here; an own answer tells of itself.
  const conversation = useQuery({ ...conversationQuery(id), refetchInterval: writing ? false : LOOK_EVERY });
  const messages = useInfiniteQuery(messagesQuery(id));
  const title = conversation.data?.title || t("chat.untitled");
  useTitle(writing ? `● ${title}` : title);

  const error = conversation.error ?? (messages.data === undefined ? messages.error : null);
  if (error instanceof ApiError && error.status === 404) {
    return (
      <Framed>
        <Empty title={t("chat.gone.title")} body={t("chat.gone.body")}>
          <Button asChild variant="primary">
            <Link to="/chat/new">{t("chat.gone.new")}</Link>
          </Button>
        </Empty>
      </Framed>
    );
  }
  if (conversation.data !== undefined && messages.data !== undefined) {
    return <Open conversation={conversation.data} userId={userId} messages={messages} />;
  }
  if (error !== null) {
    const retry = () => void Promise.all([conversation.refetch(), messages.refetch()]);
    return (
      <Framed>
        <ErrorState
          title={t("error.couldNotLoad", { things: t("chat.things") })}
          message={errorSentence(error, t)}
          requestId={error instanceof ApiError ? error.requestId : undefined}
          onRetry={retry}
        />
      </Framed>
    );
  }
  return (
    <Framed>
      <Loading label={t("chat.loading")}>
        <div className="mx-auto w-full max-w-[720px] px-4 pt-10">
          <SkeletonRows rows={5} />
        </div>
      </Loading>
    </Framed>
  );
}

/** The page's frame while there is no conversation to show. */
function Framed({ children }: { readonly children: React.ReactNode }) {
  const t = useT();
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <header className="flex h-12 shrink-0 items-center border-b border-border px-3 sm:h-[52px] sm:px-5">
        <SidebarButton className="-ms-1" />
        <h1 className="sr-only">{t("chat.title")}</h1>
      </header>
      {children}
    </div>
  );
}

interface OpenProps {
  readonly conversation: Conversation;
  readonly userId: string;
  readonly messages: ReturnType<typeof useMessages>;
}

const useMessages = (id: string) => useInfiniteQuery(messagesQuery(id));

function Open({ conversation, userId, messages }: OpenProps) {
  const { id, assistant_id, assistant_name } = conversation;
  const t = useT();
  const client = useQueryClient();
  const navigate = useNavigate();
  const live = useTurnOutline(id);
  const refusal = useStreams((state) => state.refusals[id]);
  const { data: assistants } = useQuery(assistantsQuery);
  const assistant = assistants?.assistants.find((one) => one.id === assistant_id);
  const reading = useReading(assistant);
  const stored = useMemo(() => flattenMessages(messages.data), [messages.data]);
  const total = messages.data?.pages[0]?.total ?? stored.length;
  const older = useOlder(messages);
  const sources = useSources();
  const place = draftPlace(id, null);
  const [toEnd, setToEnd] = useState(0);
  const { actions, editing, save, close, quotation } = usePageActions(conversation, place, live !== undefined);
  useAnnouncements(id, assistant_name);
  useOtherDevices(conversation, stored);
  const marked = useLinkedMessage(id, stored, older);

  // An answer begun before this page was loaded, or in another tab, is joined and goes on here.
  const unfinished = stored.findLast((message) => message.status === "streaming");
  useEffect(() => {
    if (unfinished !== undefined) resumeTurn(client, unfinished);
  }, [unfinished, client]);

  const send = (content: string, model: string | undefined) => {
    const onStored = () => forgetDraft(userId, place, content);
    beginTurn(client, { kind: "send", conversationId: id, content, model, onStored });
  };
  const show = () => {
    dropRefusal(id);
    void messages.refetch();
    setToEnd((times) => times + 1);
  };
  const lastQuestion = actions.readOnly ? undefined : stored.findLast((message) => message.role === "user");
  const editLast = live === undefined && lastQuestion !== undefined ? () => actions.edit(lastQuestion) : undefined;
  useChatKeys({ onStop: live === undefined ? undefined : actions.stop, onEdit: editLast, onModels: openModelPicker });
  // A question that was refused after it had been changed opens again with its new words.
  const refused = stored.find((message) => message.id === refusal?.editing);
  const open: Editing | null = refused === undefined ? editing : { kind: "edit", message: refused };

  return (
    <FileDropGuard>
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <ChatHeader conversation={conversation} onDeleted={() => void navigate("/chat/new", { replace: true })} />
        {stored.length === 0 && live === undefined ? (
          <p className="grid flex-1 place-items-center px-6 text-center text-muted-foreground">{t("chat.empty")}</p>
        ) : (
          <ChatActionsContext value={actions}>
            <Transcript
              conversationId={id}
              author={assistant_name}
              files={(assistant?.file_count ?? 0) - reading}
              messages={stored}
              total={total}
              live={live}
              older={older}
              toEnd={toEnd}
              marked={marked}
              onSource={sources.open}
            />
          </ChatActionsContext>
        )}
        <div className="mx-auto w-full max-w-[796px] shrink-0 px-2.5 pb-[max(0.75rem,env(safe-area-inset-bottom))] sm:px-5">
          {conversation.assistant_deleted ? (
            <InlineNotice
              className="mb-2"
              action={
                <Button asChild size="sm">
                  <Link to="/chat/new">{t("chat.gone.new")}</Link>
                </Button>
              }
            >
              {t("chat.refused.deleted")}
            </InlineNotice>
          ) : (
            <Composer
              key={place}
              userId={userId}
              place={place}
              label={t("chat.compose", { assistant: assistant_name })}
              phase={live?.phase ?? null}
              refusal={refused === undefined ? refusal : undefined}
              autoFocus
              assistantModel={assistant?.model ?? null}
              reading={reading}
              quotation={quotation}
              onEditLast={editLast}
              onShow={show}
              onSend={send}
              onStop={actions.stop}
            />
          )}
        </div>
      </div>
      {sources.messageId !== null && (
        <Sources conversationId={id} messages={stored} {...sources} messageId={sources.messageId} />
      )}
      <Suspense>
        {open !== null && (
          <EditDialog
            key={open.message.id}
            {...open}
            refusal={refused === undefined ? undefined : refusal}
            onSave={(content) => save(open, content)}
            onClose={close}
          />
        )}
      </Suspense>
    </FileDropGuard>
  );
}

interface SourcesProps extends ReturnType<typeof useSources> {
  readonly conversationId: string;
  readonly messages: readonly Message[];
  readonly messageId: string;
}

/** The sources of one answer, also of the one being written. */
function Sources({ conversationId, messages, messageId, focus, close }: SourcesProps) {
  const live = useStreams((state) => {
    const turn = state.turns[conversationId]?.turn;
    return turn?.messageId === messageId ? turn : undefined;
  });
  const answer = live ?? messages.find((message) => message.id === messageId);
  if (answer === undefined) return null;
  return (
    <Suspense>
      <SourcesPanel answer={answer} focus={focus} onClose={close} />
    </Suspense>
  );
}

function useOlder(messages: ReturnType<typeof useMessages>): OlderMessages {
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = messages;
  const load = useCallback(() => void fetchNextPage({ cancelRefetch: false }), [fetchNextPage]);
  return { more: hasNextPage, loading: isFetchingNextPage, failed: isFetchNextPageError, load };
}

/** The address's query with one value changed, or taken out. */
function searchWith(name: string, value: string | null): (search: URLSearchParams) => URLSearchParams {
  return (search) => {
    const next = new URLSearchParams(search);
    if (value === null) next.delete(name);
    else next.set(name, value);
    return next;
  };
}

/** Whose sources are shown stands in the address, so that going back closes them. */
function useSources() {
  const [search, setSearch] = useSearchParams();
  const [focus, setFocus] = useState<SourceFocus>({ index: null, at: 0 });
  const open = useCallback(
    (messageId: string, index: number | null) => {
      setFocus({ index, at: performance.now() });
      setSearch(searchWith("sources", messageId), { replace: true });
    },
    [setSearch],
  );
  const close = useCallback(() => setSearch(searchWith("sources", null), { replace: true }), [setSearch]);
  return { messageId: search.get("sources"), focus, open, close };
}
