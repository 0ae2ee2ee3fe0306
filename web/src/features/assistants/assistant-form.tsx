// Creates or changes an assistant.
import { zodResolver } from "@hookform/resolvers/zod";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { useForm, useWatch } from "react-hook-form";
import { ApiError, errorSentence } from "@/api/error";
import { applyDetails } from "@/api/form";
import { queryClient } from "@/api/query";
import type { Assistant } from "@/api/types";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { Input, NativeSelect, Textarea } from "@/ui/input";
import { LeaveGuard } from "@/ui/leave-guard";
import { InlineNotice } from "@/ui/notice";
import { assistantQuery, modelListQuery, useCreateAssistant, useUpdateAssistant } from "./api";
import { type AssistantValues, assistantSchema, LIMITS, length, toBody, toValues } from "./assistant-schema";
import { AssistantConflict } from "./conflict-dialog";

interface AssistantFormProps {
  /** Null creates a new one. */
  assistant: Assistant | null;
  onSaved: (saved: Assistant) => void;
  onCancel: () => void;
}

export function AssistantForm({ assistant, onSaved, onCancel }: AssistantFormProps) {
  const t = useT();
  const list = useQuery(modelListQuery);
  const models = list.data?.models ?? [];
  const create = useCreateAssistant();
  const update = useUpdateAssistant(assistant?.id ?? "");
  const version = useRef(assistant?.version ?? 0);
  const [theirs, setTheirs] = useState<Assistant | null>(null);
  const form = useForm<AssistantValues>({
    resolver: zodResolver(assistantSchema(t, models)),
    defaultValues: toValues(assistant),
  });
  const { errors, isDirty } = form.formState;
  const values = useWatch({ control: form.control });
  const saving = create.isPending || update.isPending;
  const failure = create.error ?? update.error;
  const conflict = failure instanceof ApiError && failure.status === 412;
  const unplaced = failure !== null && !conflict && Object.keys(errors).length === 0;

  const saved = useRef(false);
  const unsaved = useCallback(() => isDirty && !saved.current, [isDirty]);

  const save = async (input: AssistantValues) => {
    try {
      const body = toBody(input);
      const result =
        assistant === null
          ? await create.mutateAsync(body)
          : await update.mutateAsync({ version: version.current, body });
      saved.current = true;
      onSaved(result);
    } catch (error) {
      if (error instanceof ApiError && error.status === 412 && assistant !== null) {
        setTheirs(await queryClient.fetchQuery({ ...assistantQuery(assistant.id), staleTime: 0 }).catch(() => null));
      } else applyDetails(form, error);
    }
  };
  const submit = form.handleSubmit(save);

  const text = (name: "name" | "description" | "instructions", max: number) => ({
    count: { n: length(values[name] ?? ""), max },
    error: errors[name]?.message,
  });
  const known = models.some((model) => model.id === values.model);

  return (
    <form
      noValidate
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void submit();
      }}
      className="flex flex-col gap-6"
    >
      <Field label={t("field.name")} hint={t("form.nameHint")} {...text("name", LIMITS.name)}>
        {(control) => <Input {...control} {...form.register("name")} dir="auto" autoComplete="off" />}
      </Field>
      <Field
        label={t("assistant.description")}
        hint={t("form.descriptionHint")}
        {...text("description", LIMITS.description)}
      >
        {(control) => <Textarea {...control} {...form.register("description")} rows={2} className="max-h-40" />}
      </Field>
      <Field
        label={t("assistant.instructions")}
        hint={t("form.instructionsHint")}
        {...text("instructions", LIMITS.instructions)}
      >
        {(control) => (
          <Textarea {...control} {...form.register("instructions")} rows={8} className="max-h-[60vh] min-h-44" />
        )}
      </Field>
      <Field
        label={t("assistant.model")}
        hint={list.data?.stale ? t("form.modelStale") : t("form.modelHint")}
        error={errors.model?.message}
      >
        {(control) => (
          // The value is given, not left to the page: when the list arrives, an uncontrolled select would fall back to
          // its first option and the assistant would lose its model.
          <NativeSelect {...control} {...form.register("model")} value={values.model ?? ""}>
            <option value="">{t("assistants.defaultModel")}</option>
            {values.model && !known && (
              <option value={values.model}>
                {list.isSuccess ? t("form.modelGone", { model: values.model }) : values.model}
              </option>
            )}
            {models.map((model) => (
              <option key={model.id} value={model.id}>
                {model.name} · {model.provider}
              </option>
            ))}
          </NativeSelect>
        )}
      </Field>
      <div className="grid gap-6 sm:grid-cols-2">
        <Field label={t("assistant.temperature")} hint={t("form.temperatureHint")} error={errors.temperature?.message}>
          {(control) => (
            <Input
              {...control}
              {...form.register("temperature", { valueAsNumber: true })}
              type="number"
              inputMode="decimal"
              min={0}
              max={2}
              step={0.1}
              dir="ltr"
            />
          )}
        </Field>
        <Field label={t("assistant.maxTokens")} hint={t("form.maxTokensHint")} error={errors.max_tokens?.message}>
          {(control) => (
            <Input
              {...control}
              {...form.register("max_tokens", { valueAsNumber: true })}
              type="number"
              inputMode="numeric"
              min={1}
              step={1}
              dir="ltr"
            />
          )}
        </Field>
      </div>
      {unplaced && (
        <InlineNotice tone="error" role="alert">
          {errorSentence(failure, t)}
        </InlineNotice>
      )}
      {conflict && theirs === null && (
        <InlineNotice tone="error" role="alert">
          {errorSentence(failure, t)}
        </InlineNotice>
      )}
      <div className="sticky bottom-0 -mx-4 flex flex-wrap justify-end gap-2 border-t bg-background px-4 py-3">
        <Button onClick={onCancel}>{t("action.cancel")}</Button>
        <Button type="submit" variant="primary" pending={saving}>
          {assistant === null ? t("form.create") : t("action.save")}
        </Button>
      </div>
      <LeaveGuard when={unsaved} title={t("form.leaveTitle")} body={t("form.leaveBody")} />
      {theirs !== null && (
        <AssistantConflict
          mine={form.getValues()}
          theirs={toValues(theirs)}
          models={models}
          onKeepMine={() => {
            version.current = theirs.version;
            setTheirs(null);
            void submit();
          }}
          onTakeTheirs={() => {
            version.current = theirs.version;
            form.reset(toValues(theirs));
            update.reset();
            setTheirs(null);
          }}
        />
      )}
    </form>
  );
}
