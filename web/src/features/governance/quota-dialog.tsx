// Adds or changes a quota; a version saved by somebody else meanwhile is shown beside one's own.
import { zodResolver } from "@hookform/resolvers/zod";
import { useRef, useState } from "react";
import { useForm, useWatch } from "react-hook-form";
import { ApiError, errorSentence } from "@/api/error";
import { applyDetails } from "@/api/form";
import { queryClient } from "@/api/query";
import type { Quota, Role } from "@/api/types";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { ConflictDialog } from "@/ui/conflict-dialog";
import { Dialog, DialogActions } from "@/ui/dialog";
import { type ControlProps, Field } from "@/ui/field";
import { Input, NativeSelect } from "@/ui/input";
import { InlineNotice } from "@/ui/notice";
import { createQuota, quotaQuery, updateQuota, useQuotaChange, useSubjects } from "./api";
import { useSubjectName } from "./quota-name";
import { LIMITS, type QuotaValues, quotaSchema, SCOPES, toLimits, toValues } from "./quota-schema";

const ROLES = ["user", "manager", "admin"] as const satisfies readonly Role[];

interface QuotaDialogProps {
  /** Null adds a new one. */
  quota: Quota | null;
  onClose: () => void;
  onSaved: () => void;
}

export function QuotaDialog({ quota, onClose, onSaved }: QuotaDialogProps) {
  const t = useT();
  const nameOf = useSubjectName();
  const create = useQuotaChange(createQuota);
  const update = useQuotaChange(updateQuota);
  const version = useRef(quota?.version ?? 0);
  const [theirs, setTheirs] = useState<Quota | null>(null);
  const form = useForm<QuotaValues>({ resolver: zodResolver(quotaSchema(t)), defaultValues: toValues(quota) });
  const { errors } = form.formState;
  const scope = useWatch({ control: form.control, name: "scope" });
  const failure = create.error ?? update.error;
  const unplaced = failure !== null && theirs === null && Object.keys(errors).length === 0;

  const submit = form.handleSubmit(async (values) => {
    try {
      const limits = toLimits(values);
      if (quota === null) {
        await create.mutateAsync({ ...limits, scope: values.scope, scope_id: values.scope_id || null });
      } else await update.mutateAsync({ id: quota.id, version: version.current, body: limits });
      onSaved();
    } catch (error) {
      if (error instanceof ApiError && error.status === 412 && quota !== null) {
        setTheirs(await queryClient.fetchQuery(quotaQuery(quota.id)).catch(() => null));
      } else applyDetails(form, error);
    }
  });

  if (theirs !== null) {
    const [mine, other] = [form.getValues(), toValues(theirs)];
    const names = [...LIMITS.map((limit) => limit.name), "alert_threshold" as const];
    const shown = (text: string) => text || t("quotas.noLimit");
    return (
      <ConflictDialog
        fields={names
          .filter((name) => mine[name] !== other[name])
          .map((name) => ({
            key: name,
            label: t(`quotas.${name}`),
            mine: shown(mine[name]),
            theirs: shown(other[name]),
          }))}
        onKeepMine={() => {
          version.current = theirs.version;
          setTheirs(null);
          void submit();
        }}
        onTakeTheirs={() => {
          version.current = theirs.version;
          form.reset(other);
          update.reset();
          setTheirs(null);
        }}
      />
    );
  }
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={quota === null ? t("quotas.addTitle") : t("quotas.editTitle", { name: nameOf(quota) })}
      description={t("quotas.dialogBody")}
      className="sm:max-w-xl"
    >
      <form noValidate onSubmit={submit} className="flex flex-col gap-4">
        {quota === null && (
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label={t("quotas.scope")}>
              {(control) => (
                <NativeSelect
                  {...control}
                  {...form.register("scope", { onChange: () => form.setValue("scope_id", "") })}
                >
                  {SCOPES.map((each) => (
                    <option key={each} value={each}>
                      {t(`quotas.scope.${each}`)}
                    </option>
                  ))}
                </NativeSelect>
              )}
            </Field>
            {scope !== "global" && (
              <Field label={t(`quotas.scope.${scope}`)} error={errors.scope_id?.message}>
                {(control) => <Subject control={control} form={form} scope={scope} />}
              </Field>
            )}
          </div>
        )}
        <div className="grid gap-4 sm:grid-cols-2">
          {LIMITS.map(({ name, whole }) => (
            <Field key={name} label={t(`quotas.${name}`)} error={errors[name]?.message}>
              {(control) => (
                <Input
                  {...control}
                  {...form.register(name)}
                  inputMode={whole ? "numeric" : "decimal"}
                  placeholder={t("quotas.noLimit")}
                  autoComplete="off"
                  dir="ltr"
                />
              )}
            </Field>
          ))}
        </div>
        <Field
          label={t("quotas.alert_threshold")}
          hint={t("quotas.alertHint")}
          error={errors.alert_threshold?.message}
          className="sm:max-w-60"
        >
          {(control) => <Input {...control} {...form.register("alert_threshold")} inputMode="numeric" dir="ltr" />}
        </Field>
        {unplaced && (
          <InlineNotice tone="error" role="alert">
            {failure instanceof ApiError && failure.status === 409 ? t("quotas.exists") : errorSentence(failure, t)}
          </InlineNotice>
        )}
        <DialogActions>
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" variant="primary" pending={create.isPending || update.isPending}>
            {quota === null ? t("quotas.add") : t("action.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

interface SubjectProps {
  control: ControlProps;
  form: ReturnType<typeof useForm<QuotaValues>>;
  scope: Exclude<QuotaValues["scope"], "global">;
}

/** Which role, person or assistant. */
function Subject({ control, form, scope }: SubjectProps) {
  const t = useT();
  const subjects = useSubjects(scope);
  const options = scope === "role" ? ROLES.map((role) => ({ id: role, name: t(`role.${role}`) })) : subjects;
  const value = useWatch({ control: form.control, name: "scope_id" });
  return (
    <NativeSelect {...control} {...form.register("scope_id")} value={value}>
      <option value="">{t("quotas.choose")}</option>
      {options.map((option) => (
        <option key={option.id} value={option.id}>
          {option.name}
        </option>
      ))}
    </NativeSelect>
  );
}
