// How many of an assistant's files are still being read, followed until there are none.
import { useQuery } from "@tanstack/react-query";
import type { Assistant } from "@/api/types";
import { assistantQuery } from "./api";

const EVERY = 3_000;

/** Files of the assistant that answers cannot use yet. Nothing is asked for while there are none. */
export function useReading(assistant: Assistant | undefined): number {
  const listed = assistant?.reading_count ?? 0;
  const { data } = useQuery({
    ...assistantQuery(assistant?.id ?? ""),
    enabled: listed > 0,
    refetchInterval: ({ state }) => (state.data?.reading_count === 0 ? false : EVERY),
  });
  return listed === 0 ? 0 : (data?.reading_count ?? listed);
}
