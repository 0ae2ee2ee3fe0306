// How the providers fare, in a few lines for the dashboard.
import { useQuery } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, CircleDashed, CircleX } from "lucide-react";
import { Link } from "react-router";
import { errorParts } from "@/api/error";
import type { ProviderStatus } from "@/api/types";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { providersQuery } from "./api";
import {
  errorWords,
  isFailing,
  providerDetail,
  providerKey,
  providerState,
  providerTitle,
  stateWords,
} from "./provider-state";

const looks = {
  success: { icon: CircleCheck, className: "text-success" },
  warning: { icon: CircleAlert, className: "text-warning" },
  danger: { icon: CircleX, className: "text-destructive" },
  neutral: { icon: CircleDashed, className: "text-muted-foreground" },
} as const;

export function ProviderHealth({ every }: { every: number }) {
  const t = useT();
  const providers = useQuery({ ...providersQuery, refetchInterval: every });
  if (providers.isPending) {
    return (
      <Loading label={t("overview.loading")}>
        <SkeletonRows rows={3} />
      </Loading>
    );
  }
  if (providers.data === undefined) {
    return (
      <ErrorState
        className="py-6"
        title={t("error.couldNotLoad", { things: t("providers.things") })}
        {...errorParts(providers.error, t)}
        onRetry={() => void providers.refetch()}
      />
    );
  }
  // What is built in always works; what is told here is what somebody may have to act on.
  const outside = providers.data.providers.filter(({ source }) => source !== "built_in");
  if (outside.length === 0) {
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
    <>
      <ul className="flex flex-col divide-y">
        {outside.map((status) => (
          <Line key={providerKey(status)} status={status} />
        ))}
      </ul>
      <Link
        to="/admin/providers"
        className="mt-3 inline-block text-md font-semibold text-primary-text underline decoration-primary-text/40 underline-offset-3"
      >
        {t("providers.all")}
      </Link>
    </>
  );
}

function Line({ status }: { status: ProviderStatus }) {
  const t = useT();
  const state = providerState(status, Date.now());
  const { icon: Icon, className } = looks[state.tone];
  const failing = isFailing(status);
  const detail = providerDetail(status, t);
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 py-2 first:pt-0 last:pb-0">
      <div className="min-w-0 flex-1">
        <p className="truncate font-semibold">
          {providerTitle(status, t)}{" "}
          <span className="text-md font-normal text-muted-foreground">
            <bdi>{detail}</bdi>
          </span>
        </p>
        <p className="flex flex-wrap items-center gap-x-1.5 text-md text-muted-foreground">
          <span className={`flex items-center gap-1 ${className}`}>
            <Icon className="size-4 shrink-0 stroke-[1.75]" aria-hidden />
            {stateWords(status, state, t)}
          </span>
          {status.latency_ms !== null && (
            <>
              <span aria-hidden>·</span>
              <span className="tabular">{t("providers.latencyOf", { ms: Math.round(status.latency_ms) })}</span>
            </>
          )}
        </p>
        {failing && status.last_error !== null && <p className="text-md text-destructive">{errorWords(status, t)}</p>}
      </div>
      {failing && status.source === "key" && (
        <Button asChild size="sm">
          <Link to="/admin/api-keys">{t("overview.fixKey")}</Link>
        </Button>
      )}
    </li>
  );
}
