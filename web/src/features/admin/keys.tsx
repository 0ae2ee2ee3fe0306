// The keys for providers of models: which is used, whether it works, and what can be done with it.
import { useQuery } from "@tanstack/react-query";
import { Ellipsis, KeyRound, Plus } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { errorSentence } from "@/api/error";
import type { ApiKey, ApiKeyTest, ApiKeyUpdate } from "@/api/types";
import { type T, useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { keyProblem } from "@/lib/key-problem";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/ui/menu";
import { InlineNotice } from "@/ui/notice";
import { PageHeading } from "@/ui/page";
import { RelativeTime } from "@/ui/relative-time";
import { Empty } from "@/ui/states";
import { type Column, DataTable } from "@/ui/table";
import { toast } from "@/ui/toast";
import { PAGE, useFilters } from "./filters";
import { apiKeysQuery, useChangeKey, useDeleteKey, useTestKey } from "./keys-api";
import { ListPanel } from "./list-panel";

// Forms and their rules come when one is opened.
const forms = () => import("./key-dialogs");
const AddKeyDialog = lazy(() => forms().then((dialogs) => ({ default: dialogs.AddKeyDialog })));
const EditKeyDialog = lazy(() => forms().then((dialogs) => ({ default: dialogs.EditKeyDialog })));
const ReplaceKeyDialog = lazy(() => forms().then((dialogs) => ({ default: dialogs.ReplaceKeyDialog })));

export function Keys() {
  const t = useT();
  const filters = useFilters([], "");
  const [adding, setAdding] = useState(false);
  const list = useQuery(apiKeysQuery(PAGE, filters.offset));
  const columns: readonly Column<ApiKey>[] = [
    { key: "name", header: t("keys.name"), cell: (key) => <bdi>{key.name}</bdi> },
    { key: "provider", header: t("keys.provider"), cell: (key) => <Provider apiKey={key} /> },
    {
      key: "key",
      header: t("keys.key"),
      className: "sm:whitespace-nowrap",
      cell: (key) => <span className="isolate-ltr font-mono text-md">{key.key_hint ?? t("admin.none")}</span>,
    },
    {
      key: "state",
      header: t("keys.state"),
      cell: (key) => (
        <span className="inline-flex flex-wrap gap-1.5 max-sm:justify-end">
          <Badge tone={key.is_active ? "success" : "neutral"}>
            {key.is_active ? t("keys.active") : t("keys.inactive")}
          </Badge>
          {key.is_default && <Badge>{t("keys.isDefault")}</Badge>}
        </span>
      ),
    },
    {
      key: "used",
      header: t("keys.lastUsed"),
      className: "sm:whitespace-nowrap",
      cell: (key) =>
        key.last_used_at ? (
          <RelativeTime iso={key.last_used_at} />
        ) : (
          <span className="text-muted-foreground">{t("admin.never")}</span>
        ),
    },
    { key: "check", header: t("keys.check"), cell: (key) => <Check apiKey={key} /> },
  ];
  return (
    <>
      <div className="mb-5 flex flex-wrap items-center gap-x-4 gap-y-3">
        <PageHeading className="me-auto">{t("keys.title")}</PageHeading>
        <Button variant="primary" onClick={() => setAdding(true)}>
          <Plus aria-hidden />
          {t("keys.add")}
        </Button>
      </div>
      <ListPanel
        query={list}
        rows={(data) => data.api_keys.length}
        filters={filters}
        things={t("keys.things")}
        loading={t("keys.loading")}
        empty={
          <Empty
            icon={<KeyRound className="size-6 stroke-[1.5] text-muted-foreground" aria-hidden />}
            title={t("keys.empty.title")}
            body={t("keys.empty.body")}
          >
            <Button onClick={() => setAdding(true)}>{t("keys.add")}</Button>
          </Empty>
        }
      >
        {(data) => (
          <DataTable
            label={t("keys.title")}
            columns={columns}
            rows={data.api_keys}
            rowKey={(key) => key.id}
            stale={list.isPlaceholderData}
            actions={{ label: t("admin.actions"), render: (key) => <KeyMenu apiKey={key} /> }}
          />
        )}
      </ListPanel>
      <Suspense>{adding && <AddKeyDialog first={list.data?.total === 0} onClose={() => setAdding(false)} />}</Suspense>
    </>
  );
}

function Provider({ apiKey }: { apiKey: ApiKey }) {
  const t = useT();
  return (
    <>
      {t(`keys.provider.${apiKey.provider}`)}
      {apiKey.base_url && (
        <span className="isolate-ltr block text-sm text-muted-foreground [overflow-wrap:anywhere]">
          {apiKey.base_url}
        </span>
      )}
    </>
  );
}

/** The outcome of a test in one sentence. */
function outcome({ status, latency_ms: latency }: ApiKeyTest, t: T): string {
  if (status === "ok") return latency === null ? t("keys.worksPlain") : t("keys.works", { n: latency });
  return t(`keys.${status}`);
}

function Check({ apiKey }: { apiKey: ApiKey }) {
  const t = useT();
  const test = useTestKey(apiKey.id);
  const failed = test.isError || test.data?.ok === false || (!test.isSuccess && apiKey.last_error !== null);
  let said = apiKey.last_error === null ? "" : t(keyProblem(apiKey.last_error));
  if (test.isPending) said = t("keys.testing");
  else if (test.isError) said = errorSentence(test.error, t);
  else if (test.data) said = outcome(test.data, t);
  return (
    <span className="inline-flex flex-wrap items-center gap-y-1 max-sm:justify-end">
      <span
        role="status"
        className={cn("me-3 empty:me-0", failed && !test.isPending ? "text-destructive" : "text-muted-foreground")}
      >
        {said}
      </span>
      <Button
        size="sm"
        pending={test.isPending}
        aria-label={t("keys.testFor", { name: apiKey.name })}
        onClick={() => test.mutate()}
      >
        {t("keys.test")}
      </Button>
    </span>
  );
}

type Opened = "edit" | "replace" | "delete" | null;

function KeyMenu({ apiKey }: { apiKey: ApiKey }) {
  const t = useT();
  const [opened, setOpened] = useState<Opened>(null);
  const change = useChangeKey();
  const remove = useDeleteKey();
  const { id, name } = apiKey;
  const set = (body: ApiKeyUpdate, text: string) =>
    change.mutate(
      { id, body },
      {
        onSuccess: () => toast({ text }),
        onError: (error) => toast({ text: errorSentence(error, t) }),
      },
    );
  const close = () => setOpened(null);
  return (
    <>
      <Menu>
        <MenuTrigger>
          <Button variant="ghost" size="icon-sm" aria-label={t("admin.actionsFor", { name })}>
            <Ellipsis aria-hidden />
          </Button>
        </MenuTrigger>
        <MenuContent align="end">
          <MenuItem onSelect={() => setOpened("edit")}>{t("keys.edit")}</MenuItem>
          <MenuItem onSelect={() => setOpened("replace")}>{t("keys.replace")}</MenuItem>
          {!apiKey.is_default && (
            <MenuItem onSelect={() => set({ is_default: true }, t("keys.nowDefault", { name }))}>
              {t("keys.makeDefault")}
            </MenuItem>
          )}
          {apiKey.is_active ? (
            <MenuItem onSelect={() => set({ is_active: false }, t("keys.wasDeactivated", { name }))}>
              {t("keys.deactivate")}
            </MenuItem>
          ) : (
            <MenuItem onSelect={() => set({ is_active: true }, t("keys.wasActivated", { name }))}>
              {t("keys.activate")}
            </MenuItem>
          )}
          <MenuSeparator />
          <MenuItem danger onSelect={() => setOpened("delete")}>
            {t("keys.delete")}
          </MenuItem>
        </MenuContent>
      </Menu>
      <Suspense>
        {opened === "edit" && <EditKeyDialog apiKey={apiKey} onClose={close} />}
        {opened === "replace" && <ReplaceKeyDialog apiKey={apiKey} onClose={close} />}
      </Suspense>
      <ConfirmDialog
        open={opened === "delete"}
        onOpenChange={(open) => {
          if (open) return;
          remove.reset();
          close();
        }}
        title={t("keys.deleteTitle", { name })}
        description={t("keys.deleteBody")}
        confirmLabel={t("keys.deleteConfirm")}
        pending={remove.isPending}
        onConfirm={() =>
          remove.mutate(id, {
            onSuccess: () => {
              close();
              toast({ text: t("keys.wasDeleted", { name }) });
            },
          })
        }
      >
        {remove.isError && (
          <InlineNotice tone="error" role="alert">
            {errorSentence(remove.error, t)}
          </InlineNotice>
        )}
      </ConfirmDialog>
    </>
  );
}
