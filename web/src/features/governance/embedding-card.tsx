// The embedding model that the files are indexed with: what it is, changing it, and how far a change is.
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { errorSentence } from "@/api/error";
import type { EmbeddingChange, EmbeddingOverview } from "@/api/types";
import { useT } from "@/i18n";
import { formatMoney, formatNumber } from "@/lib/format";
import { providerName } from "@/lib/provider-name";
import { Button } from "@/ui/button";
import { ConfirmDialog, Dialog, DialogActions } from "@/ui/dialog";
import { Field } from "@/ui/field";
import { NativeSelect } from "@/ui/input";
import { Progress } from "@/ui/meter";
import { InlineNotice } from "@/ui/notice";
import { embeddingEstimateQuery, useEmbeddingChange } from "./api";

const minutes = (seconds: number) => formatNumber(Math.max(1, Math.ceil(seconds / 60)));

export function EmbeddingCard({ embedding }: { embedding: EmbeddingOverview }) {
  const t = useT();
  const [choosing, setChoosing] = useState(false);
  const { current, change } = embedding;
  return (
    <section aria-labelledby="embedding-title" className="flex flex-col gap-3 rounded-panel border p-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <h3 id="embedding-title" className="font-medium">
            {t("embedding.title")}
          </h3>
          <p className="text-muted-foreground">{t("embedding.hint")}</p>
        </div>
        {change?.phase !== "running" && <Button onClick={() => setChoosing(true)}>{t("embedding.change")}</Button>}
      </div>
      <p>
        <bdi>{t("embedding.current", { model: current?.id ?? "" })}</bdi>
        <span className="block text-muted-foreground">
          {t("embedding.indexed", { chunks: formatNumber(embedding.chunks), files: formatNumber(embedding.files) })}
        </span>
      </p>
      {change?.phase === "running" && <Running change={change} from={current?.id ?? ""} />}
      {change?.phase === "failed" && (
        <InlineNotice tone="error">
          {t("embedding.failed", { model: change.model.id, problem: change.problem ?? "" })}
        </InlineNotice>
      )}
      {choosing && <ChangeDialog embedding={embedding} onClose={() => setChoosing(false)} />}
    </section>
  );
}

function Running({ change, from }: { change: EmbeddingChange; from: string }) {
  const t = useT();
  const { cancel } = useEmbeddingChange();
  const [asking, setAsking] = useState(false);
  const counts = { done: formatNumber(change.chunks_done), total: formatNumber(change.chunks_total) };
  const label = t("embedding.running", { model: change.model.id });
  return (
    <div className="flex flex-col gap-2">
      <p>{label}</p>
      <Progress value={(100 * change.chunks_done) / Math.max(1, change.chunks_total)} label={label} />
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="text-muted-foreground">
          {change.seconds_left === null
            ? t("embedding.progress", counts)
            : t("embedding.left", { ...counts, minutes: minutes(change.seconds_left) })}
        </p>
        <Button size="sm" onClick={() => setAsking(true)}>
          {t("embedding.cancel")}
        </Button>
      </div>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={t("embedding.cancelTitle")}
        description={t("embedding.cancelBody", { model: from })}
        confirmLabel={t("embedding.cancel")}
        cancelLabel={t("embedding.cancelKeep")}
        pending={cancel.isPending}
        onConfirm={() => cancel.mutate(undefined, { onSettled: () => setAsking(false) })}
      />
    </div>
  );
}

function ChangeDialog({ embedding, onClose }: { embedding: EmbeddingOverview; onClose: () => void }) {
  const t = useT();
  const { begin } = useEmbeddingChange();
  const nameOf = (provider: string) => (provider === "local" ? t("providers.local") : providerName(provider));
  const [model, setModel] = useState("");
  const estimate = useQuery({ ...embeddingEstimateQuery(model), enabled: model !== "" });
  const failure = begin.error ?? estimate.error;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={t("embedding.dialogTitle")}
      description={t("embedding.dialogBody")}
    >
      <Field label={t("embedding.model")}>
        {(control) => (
          <NativeSelect
            {...control}
            value={model}
            onChange={(event) => {
              begin.reset();
              setModel(event.target.value);
            }}
          >
            <option value="">{t("embedding.choose")}</option>
            {embedding.models
              .filter((offer) => !offer.is_current)
              .map((offer) => (
                <option key={`${offer.id}:${offer.dimensions}`} value={`${offer.id}:${offer.dimensions}`}>
                  {offer.id} ({offer.providers.map(nameOf).join(", ")})
                </option>
              ))}
          </NativeSelect>
        )}
      </Field>
      {model !== "" && estimate.isFetching && <p role="status">{t("embedding.estimating")}</p>}
      {model !== "" && estimate.data !== undefined && !estimate.isFetching && (
        <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
          <Line name={t("embedding.passages")}>{formatNumber(estimate.data.chunks)}</Line>
          <Line name={t("embedding.cost")}>{formatMoney(estimate.data.cost)}</Line>
          <Line name={t("embedding.time")}>{t("embedding.minutes", { minutes: minutes(estimate.data.seconds) })}</Line>
        </dl>
      )}
      {failure !== null && (
        <InlineNotice tone="error" role="alert">
          {errorSentence(failure, t)}
        </InlineNotice>
      )}
      <DialogActions>
        <Button onClick={onClose}>{t("action.cancel")}</Button>
        <Button
          variant="primary"
          pending={begin.isPending}
          disabled={estimate.data === undefined}
          onClick={() => begin.mutate(model, { onSuccess: onClose })}
        >
          {t("embedding.begin")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-muted-foreground">{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
