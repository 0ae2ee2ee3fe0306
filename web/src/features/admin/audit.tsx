// The audit log, newest first: filtered by the server, exported by it, one entry open beside the list.
import { useQuery } from "@tanstack/react-query";
import { ChevronRight, Download } from "lucide-react";
import { useState } from "react";
import { Link, useLocation } from "react-router";
import { errorSentence } from "@/api/error";
import type { AuditEntry } from "@/api/types";
import { useT } from "@/i18n";
import { formatMoment, formatUtc } from "@/lib/format";
import { Button } from "@/ui/button";
import { DateRange } from "@/ui/date-range";
import { NativeSelect } from "@/ui/input";
import { PageHeading } from "@/ui/page";
import { Empty } from "@/ui/states";
import { type Column, DataTable } from "@/ui/table";
import { toast } from "@/ui/toast";
import { auditQuery, auditWordsQuery, downloadAudit } from "./audit-api";
import { actorName, objectName } from "./audit-changes";
import { AuditSheet } from "./audit-sheet";
import { PAGE, useFilters } from "./filters";
import { ListPanel } from "./list-panel";
import { PersonFilter } from "./person-filter";

/** `days` before today, as the browser's date fields write it. */
function dayBefore(days: number): string {
  const moment = new Date();
  moment.setDate(moment.getDate() - days);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}

export function Audit() {
  const t = useT();
  const location = useLocation();
  const filters = useFilters(["from", "to", "person", "action", "object"], "entry");
  const filter = {
    actorId: filters.get("person"),
    action: filters.get("action"),
    resourceType: filters.get("object"),
    from: filters.get("from"),
    to: filters.get("to"),
  };
  const list = useQuery(auditQuery(filter, PAGE, filters.offset));
  const words = useQuery(auditWordsQuery).data;
  const [exporting, setExporting] = useState(false);

  const exportCsv = async () => {
    setExporting(true);
    try {
      await downloadAudit(filter);
    } catch (error) {
      toast({ text: t("admin.exportFailed", { reason: errorSentence(error, t) }) });
    } finally {
      setExporting(false);
    }
  };
  const addressOf = (entry: AuditEntry) => {
    const params = new URLSearchParams(location.search);
    params.set("entry", entry.id);
    return { search: params.toString() };
  };
  const columns: readonly Column<AuditEntry>[] = [
    {
      key: "time",
      header: t("audit.time"),
      cell: (entry) => (
        <Link to={addressOf(entry)} replace className="whitespace-nowrap hover:underline">
          <time dateTime={entry.created_at} title={formatUtc(entry.created_at)}>
            {formatMoment(entry.created_at)}
          </time>
        </Link>
      ),
    },
    {
      key: "who",
      header: t("audit.who"),
      className: "[&_bdi]:[overflow-wrap:anywhere] sm:min-w-36",
      cell: (entry) => <bdi>{actorName(entry, t)}</bdi>,
    },
    {
      key: "action",
      header: t("audit.action"),
      cell: (entry) => <span className="isolate-ltr font-mono text-md">{entry.action}</span>,
    },
    {
      key: "object",
      header: t("audit.object"),
      cell: (entry) => <bdi>{objectName(entry)}</bdi>,
    },
    {
      key: "address",
      header: t("audit.address"),
      cell: (entry) => <span className="isolate-ltr">{entry.ip_address ?? t("admin.none")}</span>,
    },
  ];
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <PageHeading className="me-auto">{t("audit.title")}</PageHeading>
        <Button pending={exporting} onClick={() => void exportCsv()}>
          <Download aria-hidden />
          {t("admin.exportCsv")}
        </Button>
      </div>
      <search className="mt-5 mb-4 grid items-end gap-3 sm:flex sm:flex-wrap">
        <DateRange from={filter.from} to={filter.to} onChange={({ from, to }) => filters.set({ from, to })} />
        <div className="sm:w-52">
          <PersonFilter value={filter.actorId} onChange={(person) => filters.set({ person })} />
        </div>
        <WordFilter
          label={t("audit.action")}
          any={t("audit.anyAction")}
          words={words?.actions ?? []}
          value={filter.action}
          onChange={(action) => filters.set({ action })}
        />
        <WordFilter
          label={t("audit.object")}
          any={t("audit.anyObject")}
          words={words?.types ?? []}
          value={filter.resourceType}
          onChange={(object) => filters.set({ object })}
        />
        {filters.filtered && (
          <Button variant="ghost" onClick={filters.clear}>
            {t("admin.clearFilters")}
          </Button>
        )}
      </search>
      <ListPanel
        query={list}
        rows={(data) => data.audit_logs.length}
        filters={filters}
        things={t("audit.things")}
        loading={t("audit.loading")}
        empty={
          <Empty title={t("audit.empty.title")} body={t("audit.empty.body")}>
            <Button onClick={() => filters.set({ from: dayBefore(29), to: "", person: "", action: "", object: "" })}>
              {t("audit.lastDays")}
            </Button>
          </Empty>
        }
      >
        {(data) => (
          <DataTable
            label={t("audit.title")}
            columns={columns}
            rows={data.audit_logs}
            rowKey={(entry) => entry.id}
            stale={list.isPlaceholderData}
            actions={{
              label: t("audit.details"),
              render: (entry) => (
                <Button asChild variant="ghost" size="icon-sm">
                  <Link
                    to={addressOf(entry)}
                    replace
                    aria-label={t("audit.detailsOf", { action: entry.action, time: formatMoment(entry.created_at) })}
                  >
                    <ChevronRight className="mirror-rtl" aria-hidden />
                  </Link>
                </Button>
              ),
            }}
          />
        )}
      </ListPanel>
      <AuditSheet id={filters.get("entry")} onClose={() => filters.set({ entry: "" })} />
    </>
  );
}

interface WordFilterProps {
  label: string;
  /** The choice that filters nothing. */
  any: string;
  words: readonly string[];
  value: string;
  onChange: (value: string) => void;
}

function WordFilter({ label, any, words, value, onChange }: WordFilterProps) {
  // What came by the address stays a choice, also when the newest entries do not have it.
  const options = value === "" || words.includes(value) ? words : [value, ...words];
  return (
    <div className="sm:w-44">
      <NativeSelect aria-label={label} value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">{any}</option>
        {options.map((word) => (
          <option key={word} value={word}>
            {word}
          </option>
        ))}
      </NativeSelect>
    </div>
  );
}
