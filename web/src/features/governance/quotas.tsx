// All quotas: for whom, how much, and what of it is used now.
import { useQuery } from "@tanstack/react-query";
import { Ellipsis } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { errorParts, errorSentence } from "@/api/error";
import type { Quota } from "@/api/types";
import { useT } from "@/i18n";
import { formatMoney, formatNumber } from "@/lib/format";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { LimitMeter, percentOf } from "@/ui/limit-meter";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/ui/menu";
import { InlineNotice } from "@/ui/notice";
import { Empty, ErrorState, Loading } from "@/ui/states";
import { DataTable, TableSkeleton } from "@/ui/table";
import { toast } from "@/ui/toast";
import { deleteQuota, quotasQuery, useQuotaChange } from "./api";
import { useSubjectName } from "./quota-name";

// Forms bring their library with them; looking at quotas needs none.
const QuotaDialog = lazy(async () => ({ default: (await import("./quota-dialog")).QuotaDialog }));

/** `undefined`: closed; `null`: a new quota. */
type Editing = Quota | null | undefined;

export function Quotas() {
  const t = useT();
  const list = useQuery(quotasQuery);
  const [editing, setEditing] = useState<Editing>(undefined);
  const [deleting, setDeleting] = useState<Quota | null>(null);
  const add = (
    <Button variant="primary" onClick={() => setEditing(null)}>
      {t("quotas.add")}
    </Button>
  );
  return (
    <>
      {list.isPending && (
        <Loading label={t("quotas.loading")}>
          <TableSkeleton />
        </Loading>
      )}
      {list.isError && list.data === undefined && (
        <ErrorState
          title={t("error.couldNotLoad", { things: t("quotas.things") })}
          {...errorParts(list.error, t)}
          onRetry={() => void list.refetch()}
        />
      )}
      {list.data?.quotas.length === 0 && (
        <Empty title={t("quotas.empty")} body={t("quotas.emptyBody")}>
          {add}
        </Empty>
      )}
      {list.data !== undefined && list.data.quotas.length > 0 && (
        <>
          <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
            <p className="max-w-[60ch] text-muted-foreground">{t("quotas.intro")}</p>
            {add}
          </div>
          <QuotaTable quotas={list.data.quotas} onEdit={setEditing} onDelete={setDeleting} />
        </>
      )}
      <Suspense>
        {editing !== undefined && (
          <QuotaDialog
            quota={editing}
            onClose={() => setEditing(undefined)}
            onSaved={() => {
              setEditing(undefined);
              toast({ text: t("done.saved") });
            }}
          />
        )}
      </Suspense>
      {deleting !== null && <DeleteQuota quota={deleting} onClose={() => setDeleting(null)} />}
    </>
  );
}

interface QuotaTableProps {
  quotas: readonly Quota[];
  onEdit: (quota: Quota) => void;
  onDelete: (quota: Quota) => void;
}

function QuotaTable({ quotas, onEdit, onDelete }: QuotaTableProps) {
  const t = useT();
  const nameOf = useSubjectName();
  const money = (value: number | null) => (value === null ? "–" : formatMoney(value, "short"));
  const count = (value: number | null) => (value === null ? "–" : formatNumber(value));
  const column = (key: keyof Quota & `${string}`, cell: (quota: Quota) => string) => ({
    key,
    header: t(`quotas.short.${key as "daily_cost_limit"}`),
    numeric: true,
    cell,
  });
  return (
    <DataTable
      label={t("usagePage.quotas")}
      columns={[
        { key: "subject", header: t("quotas.appliesTo"), cell: (quota) => <bdi>{nameOf(quota)}</bdi> },
        column("daily_cost_limit", (quota) => money(quota.daily_cost_limit)),
        column("monthly_cost_limit", (quota) => money(quota.monthly_cost_limit)),
        column("daily_token_limit", (quota) => count(quota.daily_token_limit)),
        column("monthly_token_limit", (quota) => count(quota.monthly_token_limit)),
        column("requests_per_min", (quota) => count(quota.requests_per_min)),
        { key: "used", header: t("quotas.used"), cell: (quota) => <UsedNow quota={quota} /> },
      ]}
      rows={quotas}
      rowKey={(quota) => quota.id}
      actions={{
        label: t("quotas.actions"),
        render: (quota) => (
          <Menu>
            <MenuTrigger>
              <Button variant="ghost" size="icon-sm" aria-label={t("quotas.actionsFor", { name: nameOf(quota) })}>
                <Ellipsis aria-hidden />
              </Button>
            </MenuTrigger>
            <MenuContent align="end">
              <MenuItem onSelect={() => onEdit(quota)}>{t("quotas.edit")}</MenuItem>
              <MenuItem danger onSelect={() => onDelete(quota)}>
                {t("quotas.delete")}
              </MenuItem>
            </MenuContent>
          </Menu>
        ),
      }}
    />
  );
}

/** The limit nearest to its end, as a bar with its figures. */
function UsedNow({ quota }: { quota: Quota }) {
  const t = useT();
  const { current } = quota;
  const windows = [
    { used: current.daily_cost, limit: quota.daily_cost_limit, format: formatMoney, word: "quotas.usedDay" },
    { used: current.monthly_cost, limit: quota.monthly_cost_limit, format: formatMoney, word: "quotas.usedMonth" },
    { used: current.daily_tokens, limit: quota.daily_token_limit, format: formatNumber, word: "quotas.usedDay" },
    { used: current.monthly_tokens, limit: quota.monthly_token_limit, format: formatNumber, word: "quotas.usedMonth" },
  ] as const;
  const limited = windows.flatMap((each) => {
    if (each.limit === null) return [];
    return [{ ...each, limit: each.limit, percent: percentOf(each.used, each.limit) }];
  });
  const nearest = limited.reduce<(typeof limited)[number] | undefined>(
    (best, each) => (best === undefined || each.percent > best.percent ? each : best),
    undefined,
  );
  if (nearest === undefined) return <span>{formatMoney(current.monthly_cost)}</span>;
  const text = t(nearest.word, { used: nearest.format(nearest.used), percent: nearest.percent });
  return (
    <div className="min-w-32">
      <span className="tabular text-md">{text}</span>
      <LimitMeter used={nearest.used} limit={nearest.limit} warnAt={quota.alert_threshold} />
    </div>
  );
}

function DeleteQuota({ quota, onClose }: { quota: Quota; onClose: () => void }) {
  const t = useT();
  const nameOf = useSubjectName();
  const remove = useQuotaChange(deleteQuota);
  return (
    <ConfirmDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={t("quotas.deleteTitle", { name: nameOf(quota) })}
      description={t("quotas.deleteBody")}
      confirmLabel={t("quotas.deleteConfirm")}
      pending={remove.isPending}
      onConfirm={() =>
        remove.mutate(quota.id, {
          onSuccess: () => {
            onClose();
            toast({ text: t("quotas.deleted") });
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
  );
}
