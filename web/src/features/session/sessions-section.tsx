// Where the person is signed in, and the way out of each place.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { errorParts, errorSentence } from "@/api/error";
import type { DeviceSession } from "@/api/types";
import { type T, useT } from "@/i18n";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { RelativeTime } from "@/ui/relative-time";
import { ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { toast } from "@/ui/toast";
import { sessionsQuery, useEndOtherSession } from "./account-api";
import { useSignOut } from "./api";
import { deviceOf } from "./device-name";

/** “Chrome on Windows”; the program's own name when it is no browser we know. */
function deviceName(session: DeviceSession, t: T): string {
  const device = deviceOf(session.user_agent);
  if (device === null) return session.user_agent?.slice(0, 60) ?? t("sessions.unknown");
  return device.system === null ? device.browser : t("sessions.device", { ...device, system: device.system });
}

export function SessionsSection() {
  const t = useT();
  const list = useQuery(sessionsQuery);
  const signOut = useSignOut();
  const [asking, setAsking] = useState(false);
  if (list.isPending) {
    return (
      <Loading label={t("sessions.loading")}>
        <SkeletonRows rows={4} />
      </Loading>
    );
  }
  if (list.data === undefined) {
    return (
      <ErrorState
        title={t("error.couldNotLoad", { things: t("sessions.things") })}
        {...errorParts(list.error, t)}
        onRetry={() => void list.refetch()}
      />
    );
  }
  return (
    <>
      <p className="mb-3 text-muted-foreground">{t("sessions.intro")}</p>
      <ul aria-label={t("sessions.title")} className="divide-y rounded-card border bg-surface">
        {list.data.sessions.map((session) => (
          <SessionRow key={session.id} session={session} />
        ))}
      </ul>
      <Button className="mt-4" onClick={() => setAsking(true)}>
        {t("sessions.endAll")}
      </Button>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={t("sessions.endAllTitle")}
        description={t("sessions.endAllBody")}
        confirmLabel={t("sessions.endAll")}
        pending={signOut.isPending}
        onConfirm={() => signOut.mutate("everywhere", { onError: () => toast({ text: t("user.signOutFailed") }) })}
      />
    </>
  );
}

function SessionRow({ session }: { session: DeviceSession }) {
  const t = useT();
  const end = useEndOtherSession();
  const name = deviceName(session, t);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
      <div className="min-w-0 flex-1 basis-52">
        <p className="flex flex-wrap items-center gap-2 font-semibold [overflow-wrap:anywhere]">
          <bdi>{name}</bdi>
          {session.is_current && <Badge tone="success">{t("sessions.current")}</Badge>}
        </p>
        <p className="text-md text-muted-foreground">
          <RelativeTime iso={session.last_used_at} />
          {session.ip_address !== null && (
            <>
              {" · "}
              <span className="isolate-ltr">{session.ip_address}</span>
            </>
          )}
        </p>
        {end.isError && (
          <p role="alert" className="text-md text-destructive">
            {errorSentence(end.error, t)}
          </p>
        )}
      </div>
      {!session.is_current && (
        <Button
          size="sm"
          pending={end.isPending}
          aria-label={t("sessions.endOne", { name })}
          onClick={() => end.mutate(session.id, { onSuccess: () => toast({ text: t("sessions.ended", { name }) }) })}
        >
          {t("user.signOut")}
        </Button>
      )}
    </li>
  );
}
