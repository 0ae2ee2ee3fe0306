// The settings that everybody may know: what the app checks before it asks the server, and what the installation is called.
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useAppName } from "@/lib/app-name";
import { api } from "./client";
import type { SettingsAnswer } from "./types";

export interface PublicSettings {
  readonly app_name: string;
  readonly message_max_chars: number;
  readonly max_upload_mb: number;
  /** Without the dot, lower case. */
  readonly allowed_file_types: readonly string[];
}

/** What holds until the server has answered: its own defaults. */
const usual: PublicSettings = {
  app_name: "AI-Across",
  message_max_chars: 100_000,
  max_upload_mb: 25,
  allowed_file_types: ["pdf", "docx", "txt", "md", "pptx", "xlsx", "csv", "html", "epub"],
};

const publicSettingsQuery = queryOptions({
  queryKey: ["settings", "public"],
  queryFn: async ({ signal }) => {
    const { settings } = await api.get<SettingsAnswer>("/settings", { signal });
    const known = { ...usual, ...settings } as PublicSettings;
    useAppName.setState({ name: known.app_name });
    return known;
  },
  // An administrator's change holds on the server after five seconds; a page opened then must not still say otherwise.
  staleTime: 5_000,
  refetchInterval: 60_000,
});

export function usePublicSettings(): PublicSettings {
  return useQuery(publicSettingsQuery).data ?? usual;
}
