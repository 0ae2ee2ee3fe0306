// What a list shows lives in its address: filters, page, and the row that lies open.
import { useSearchParams } from "react-router";

/** Rows on one page of a list. */
export const PAGE = 20;

export interface Filters {
  /** The value in the address, or an empty string. */
  readonly get: (name: string) => string;
  /** Changes several at once; an empty string takes one out. Whatever is filtered anew starts at its first page. */
  readonly set: (changes: Readonly<Record<string, string>>) => void;
  readonly offset: number;
  readonly goTo: (offset: number) => void;
  /** True when anything but the page and the open row is set. */
  readonly filtered: boolean;
  readonly clear: () => void;
}

/** `names` are the filters of this list; `open` is where the address keeps the row that lies open. */
export function useFilters(names: readonly string[], open: string): Filters {
  const [params, setParams] = useSearchParams();
  const page = Math.max(1, Number.parseInt(params.get("page") ?? "1", 10) || 1);
  const change = (changes: Readonly<Record<string, string>>) =>
    setParams(
      (before) => {
        for (const [name, value] of Object.entries(changes)) {
          if (value === "") before.delete(name);
          else before.set(name, value);
        }
        return before;
      },
      { replace: true },
    );
  return {
    get: (name) => params.get(name) ?? "",
    set: (changes) => change(Object.keys(changes).every((name) => name === open) ? changes : { page: "", ...changes }),
    offset: (page - 1) * PAGE,
    goTo: (offset) => change({ page: offset === 0 ? "" : String(Math.floor(offset / PAGE) + 1) }),
    filtered: names.some((name) => params.has(name)),
    clear: () => change(Object.fromEntries([...names, "page"].map((name) => [name, ""]))),
  };
}
