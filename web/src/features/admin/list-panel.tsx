// What stands under the filters of a list: its rows, or why there are none.
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { errorParts } from "@/api/error";
import { useT } from "@/i18n";
import { Pagination } from "@/ui/pagination";
import { ErrorState, Loading } from "@/ui/states";
import { TableSkeleton } from "@/ui/table";
import { type Filters, PAGE } from "./filters";

interface ListPanelProps<Data extends { total: number }> {
  query: UseQueryResult<Data>;
  rows: (data: Data) => number;
  filters: Filters;
  /** “the users”, for “Could not load the users”. */
  things: string;
  loading: string;
  empty: ReactNode;
  children: (data: Data) => ReactNode;
}

export function ListPanel<Data extends { total: number }>({
  query,
  rows,
  filters,
  things,
  loading,
  empty,
  children,
}: ListPanelProps<Data>) {
  const t = useT();
  if (query.isError) {
    return (
      <ErrorState
        title={t("error.couldNotLoad", { things })}
        {...errorParts(query.error, t)}
        onRetry={() => void query.refetch()}
      />
    );
  }
  if (query.data === undefined) {
    return (
      <Loading label={loading}>
        <TableSkeleton />
      </Loading>
    );
  }
  const shown = rows(query.data);
  const { total } = query.data;
  return (
    <>
      {shown === 0 ? empty : children(query.data)}
      {(total > PAGE || filters.offset > 0) && (
        <Pagination total={total} limit={PAGE} offset={filters.offset} shown={shown} onOffset={filters.goTo} />
      )}
    </>
  );
}
