// How the provider keys fared when they were last used.
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CircleDashed, CircleOff, CircleX } from "lucide-react";
import { Link } from "react-router";
import { errorParts } from "@/api/error";
import type { ApiKey } from "@/api/types";
import { useT } from "@/i18n";
import { keyProblem } from "@/lib/key-problem";
import { Button } from "@/ui/button";
import { RelativeTime } from "@/ui/relative-time";
import { ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { providerKeysQuery } from "./api";

const looks = {
  ok: { icon: CircleCheck, className: "text-success", word: "overview.keyOk" },
  failing: { icon: CircleX, className: "text-destructive", word: "overview.keyFailing" },
  unused: { icon: CircleDashed, className: "text-muted-foreground", word: "overview.keyUnused" },
  off: { icon: CircleOff, className: "text-muted-foreground", word: "overview.keyOff" },
} as const;

function stateOf(key: ApiKey): keyof typeof looks {
  if (!key.is_active) return "off";
  if (key.last_error !== null) return "failing";
  return key.last_used_at === null ? "unused" : "ok";
}

export function ProviderHealth({ every }: { every: number }) {
  const t = useT();
  const keys = useQuery({ ...providerKeysQuery, refetchInterval: every });
  if (keys.isPending) {
    return (
      <Loading label={t("overview.loading")}>
        <SkeletonRows rows={3} />
      </Loading>
    );
  }
  if (keys.data === undefined) {
    return (
      <ErrorState
        className="py-6"
        title={t("error.couldNotLoad", { things: t("overview.keyThings") })}
        {...errorParts(keys.error, t)}
        onRetry={() => void keys.refetch()}
      />
    );
  }
  if (keys.data.api_keys.length === 0) {
    return (
      <div className="flex flex-col items-start gap-3">
        <p className="text-muted-foreground">{t("overview.noKeys")}</p>
        <Button asChild>
          <Link to="/admin/api-keys">{t("overview.openKeys")}</Link>
        </Button>
      </div>
    );
  }
  return (
    <ul className="flex flex-col divide-y">
      {keys.data.api_keys.map((key) => {
        const { icon: Icon, className, word } = looks[stateOf(key)];
        return (
          <li key={key.id} className="flex flex-wrap items-center gap-x-3 gap-y-1 py-2 first:pt-0 last:pb-0">
            <div className="min-w-0 flex-1">
              <p className="truncate font-semibold">
                <bdi>{key.name}</bdi> <span className="isolate-ltr text-md text-muted-foreground">{key.key_hint}</span>
              </p>
              <p className="flex items-center gap-1.5 text-md text-muted-foreground">
                <span className={`flex items-center gap-1 ${className}`}>
                  <Icon className="size-4 shrink-0 stroke-[1.75]" aria-hidden />
                  {t(word)}
                </span>
                <span aria-hidden>·</span>
                <span>{t(`keys.provider.${key.provider}`)}</span>
                {key.last_used_at !== null && (
                  <>
                    <span aria-hidden>·</span>
                    <RelativeTime iso={key.last_used_at} />
                  </>
                )}
              </p>
              {key.is_active && key.last_error !== null && (
                <p className="text-md text-destructive">{t(keyProblem(key.last_error))}</p>
              )}
            </div>
            {stateOf(key) === "failing" && (
              <Button asChild size="sm">
                <Link to="/admin/api-keys">{t("overview.fixKey")}</Link>
              </Button>
            )}
          </li>
        );
      })}
    </ul>
  );
}
