// One assistant in a grid: the whole card opens it, one button starts a chat.
import { Link } from "react-router";
import type { Assistant, Model } from "@/api/types";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { Avatar, Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Skeleton } from "@/ui/states";

interface AssistantCardProps {
  assistant: Assistant;
  models: readonly Model[];
  canEdit: boolean;
  /** The heading's place in the page's outline. */
  level?: "h2" | "h3";
}

/** The model by the name people know, or the words for “whatever the server's default is”. */
export function modelName(id: string | null, models: readonly Model[], fallback: string): string {
  if (id === null) return fallback;
  return models.find((model) => model.id === id)?.name ?? id;
}

export function AssistantCard({ assistant, models, canEdit, level: Heading = "h2" }: AssistantCardProps) {
  const t = useT();
  const files =
    assistant.file_count === 0 ? t("assistants.noFiles") : t("assistants.files", { count: assistant.file_count });
  return (
    <article
      className={cn(
        "relative flex h-full flex-col rounded-card border bg-surface p-4 transition-colors duration-120 hoverable:hover:border-input",
        assistant.is_deleted && "bg-transparent",
      )}
    >
      <div className="flex items-center gap-3">
        <Avatar name={assistant.name} src={assistant.avatar_url} />
        <Heading className="min-w-0 flex-1 font-display text-[1.125rem]/6 font-semibold" dir="auto">
          {/* The link's area is the card; the buttons below lie above it. */}
          <Link
            to={`/assistants/${assistant.id}`}
            className="block truncate after:absolute after:inset-0 after:rounded-card focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-offset-2 focus-visible:after:outline-ring"
          >
            {assistant.name}
          </Link>
        </Heading>
        {assistant.is_deleted && <Badge tone="warning">{t("assistants.deleted")}</Badge>}
      </div>
      <p className="mt-2.5 line-clamp-2 min-h-11 text-foreground/90" dir="auto">
        {assistant.description}
      </p>
      <p className="mt-2 truncate text-md text-muted-foreground">
        <bdi>{modelName(assistant.model, models, t("assistants.defaultModel"))}</bdi> · {files}
      </p>
      <div className="relative mt-3.5 flex gap-2 self-start">
        {!assistant.is_deleted && (
          <Button asChild size="sm">
            <Link to={`/chat/new?assistant=${assistant.id}`}>
              {t("action.startChat")}
              <span className="sr-only">: {assistant.name}</span>
            </Link>
          </Button>
        )}
        {canEdit && !assistant.is_deleted && (
          <Button asChild size="sm" variant="ghost">
            <Link to={`/assistants/${assistant.id}/edit`}>
              {t("action.edit")}
              <span className="sr-only">: {assistant.name}</span>
            </Link>
          </Button>
        )}
      </div>
    </article>
  );
}

export const assistantGrid = "grid grid-cols-[repeat(auto-fill,minmax(min(100%,17.5rem),1fr))] gap-4";

/** Placeholders in the shape of cards. */
export function AssistantCardSkeletons({ count = 6 }: { count?: number }) {
  return (
    <div className={assistantGrid}>
      {Array.from({ length: count }, (_, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the placeholders are all alike and never move.
        <div key={place} className="rounded-card border p-4">
          <div className="flex items-center gap-3">
            <Skeleton className="size-9 rounded-full" />
            <Skeleton className="h-5 w-[44%]" />
          </div>
          <Skeleton className="mt-4 h-4 w-[92%]" />
          <Skeleton className="mt-2 h-4 w-[64%]" />
          <Skeleton className="mt-5 h-8 w-24" />
        </div>
      ))}
    </div>
  );
}
