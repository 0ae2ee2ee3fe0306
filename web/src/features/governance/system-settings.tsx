// The system's settings, in groups that save alone.
import { useQuery } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { errorParts, errorSentence } from "@/api/error";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { LeaveGuard } from "@/ui/leave-guard";
import { InlineNotice } from "@/ui/notice";
import { ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { toast } from "@/ui/toast";
import { embeddingQuery, modelsQuery, settingsQuery, useReprocessAll } from "./api";
import { EmbeddingCard } from "./embedding-card";
import { GROUPS, type GroupName } from "./setting-fields";
import { SettingsGroup } from "./settings-group";

export function SystemSettingsPage() {
  const t = useT();
  const settings = useQuery(settingsQuery);
  const models = useQuery(modelsQuery).data?.models ?? [];
  const embedding = useQuery(embeddingQuery).data;
  const dirty = useRef(new Set<GroupName>());
  const onDirty = useCallback((name: GroupName, isDirty: boolean) => {
    if (isDirty) dirty.current.add(name);
    else dirty.current.delete(name);
  }, []);
  const unsaved = useCallback(() => dirty.current.size > 0, []);
  if (settings.isPending) {
    return (
      <Loading label={t("system.loading")}>
        <SkeletonRows rows={10} />
      </Loading>
    );
  }
  if (settings.data === undefined) {
    return (
      <ErrorState
        title={t("error.couldNotLoad", { things: t("system.things") })}
        {...errorParts(settings.error, t)}
        onRetry={() => void settings.refetch()}
      />
    );
  }
  // Once files are indexed, their model is no field any more: it is changed by embedding them anew.
  const isIndexed = embedding?.current != null;
  const { embedding_model: _, ...others } = settings.data.values;
  const shown = isIndexed ? { ...settings.data, values: others } : settings.data;
  return (
    <div className="flex flex-col gap-8">
      {(Object.keys(GROUPS) as GroupName[]).map((name) => (
        <SettingsGroup key={name} name={name} settings={shown} models={models} onDirty={onDirty}>
          {name === "retrieval" && (
            <>
              {isIndexed && <EmbeddingCard embedding={embedding} />}
              <Reprocess />
            </>
          )}
        </SettingsGroup>
      ))}
      <LeaveGuard when={unsaved} title={t("form.leaveTitle")} body={t("form.leaveBody")} />
    </div>
  );
}

/** Sizes of passages hold for files processed from now on; older ones follow only when they are read again. */
function Reprocess() {
  const t = useT();
  const reprocess = useReprocessAll();
  const [asking, setAsking] = useState(false);
  return (
    <>
      <InlineNotice
        action={
          <Button size="sm" className="max-sm:whitespace-normal" onClick={() => setAsking(true)}>
            {t("system.reprocess")}
          </Button>
        }
        className="max-sm:flex-wrap max-sm:[&>div]:basis-52"
      >
        {t("system.reprocessHint")}
      </InlineNotice>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={t("system.reprocessTitle")}
        description={t("system.reprocessBody")}
        confirmLabel={t("system.reprocessConfirm")}
        pending={reprocess.isPending}
        onConfirm={() =>
          reprocess.mutate(undefined, {
            onSuccess: () => {
              setAsking(false);
              toast({ text: t("system.reprocessing") });
            },
          })
        }
      >
        {reprocess.isError && (
          <InlineNotice tone="error" role="alert">
            {errorSentence(reprocess.error, t)}
          </InlineNotice>
        )}
      </ConfirmDialog>
    </>
  );
}
