// The forms of a provider's key: a new one, its name and address, and another key in its place.
import { zodResolver } from "@hookform/resolvers/zod";
import { type ReactNode, useState } from "react";
import { type Control, type FieldValues, type UseFormReturn, useForm, useFormState, useWatch } from "react-hook-form";
import { ApiError, errorSentence } from "@/api/error";
import { applyDetails } from "@/api/form";
import { queryClient } from "@/api/query";
import type { ApiKey } from "@/api/types";
import { useT } from "@/i18n";
import { keyPerBody } from "@/lib/idempotency";
import { Button } from "@/ui/button";
import { ConflictDialog } from "@/ui/conflict-dialog";
import { Dialog, DialogActions } from "@/ui/dialog";
import { type ControlProps, Field } from "@/ui/field";
import { Input, NativeSelect, PasswordInput } from "@/ui/input";
import { LeaveGuard } from "@/ui/leave-guard";
import { InlineNotice } from "@/ui/notice";
import { Checkbox } from "@/ui/switch";
import { toast } from "@/ui/toast";
import {
  type EditKeyValues,
  editKeySchema,
  type NewKeyValues,
  newKeySchema,
  PROVIDERS,
  replaceKeySchema,
  toBody,
} from "./key-schema";
import { apiKeyQuery, useAddKey, useChangeKey } from "./keys-api";

interface FormDialogProps<V extends FieldValues> {
  form: UseFormReturn<V>;
  title: ReactNode;
  description?: ReactNode;
  confirm: string;
  pending: boolean;
  failure: unknown;
  onSubmit: () => void;
  onClose: () => void;
  children: ReactNode;
}

/** A form in a dialog: once something was written, only its buttons close it. */
function FormDialog<V extends FieldValues>(props: FormDialogProps<V>) {
  const { form, title, description, confirm, pending, failure, onSubmit, onClose, children } = props;
  const t = useT();
  const { isDirty, errors } = useFormState({ control: form.control as Control<V> });
  const unplaced = failure !== null && Object.keys(errors).length === 0;
  return (
    <Dialog open dismissible={!isDirty} onOpenChange={onClose} title={title} description={description}>
      <form
        noValidate
        autoComplete="off"
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit();
        }}
      >
        {children}
        {unplaced && (
          <InlineNotice tone="error" role="alert">
            {errorSentence(failure, t)}
          </InlineNotice>
        )}
        <DialogActions>
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" variant="primary" pending={pending}>
            {confirm}
          </Button>
        </DialogActions>
      </form>
      <LeaveGuard when={() => isDirty && !pending} title={t("form.leaveTitle")} body={t("form.leaveBody")} />
    </Dialog>
  );
}

const machineText = { dir: "ltr", autoComplete: "off", autoCapitalize: "none", spellCheck: false } as const;

export function AddKeyDialog({ first, onClose }: { first: boolean; onClose: () => void }) {
  const t = useT();
  const add = useAddKey();
  const [idempotencyOf] = useState(keyPerBody);
  const [provider, setProvider] = useState<NewKeyValues["provider"]>("openrouter");
  const custom = provider === "custom";
  const form = useForm<NewKeyValues>({
    resolver: zodResolver(newKeySchema(t, custom)),
    defaultValues: {
      provider,
      name: "",
      key: "",
      is_default: first,
      base_url: "",
      prompt_price: "",
      completion_price: "",
      context_length: "",
    },
  });
  const { errors } = form.formState;
  const submit = form.handleSubmit(async (values) => {
    const body = toBody(values);
    try {
      await add.mutateAsync({ body, idempotency: idempotencyOf(body) });
      toast({ text: t("keys.added", { name: body.name }) });
      onClose();
    } catch (error) {
      applyDetails(form, error);
    }
  });
  const number = (name: "prompt_price" | "completion_price" | "context_length") => (control: ControlProps) => (
    <Input {...control} {...form.register(name)} {...machineText} inputMode="decimal" />
  );
  return (
    <FormDialog
      form={form}
      title={t("keys.addTitle")}
      confirm={t("keys.create")}
      pending={add.isPending}
      failure={add.error}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <Field label={t("keys.provider")} error={errors.provider?.message}>
        {(control) => (
          <NativeSelect
            {...control}
            {...form.register("provider", {
              onChange: (event: { target: { value: NewKeyValues["provider"] } }) => setProvider(event.target.value),
            })}
          >
            {PROVIDERS.map((each) => (
              <option key={each} value={each}>
                {t(`keys.provider.${each}`)}
              </option>
            ))}
          </NativeSelect>
        )}
      </Field>
      <Field label={t("keys.name")} hint={t("keys.nameHint")} error={errors.name?.message}>
        {(control) => <Input {...control} {...form.register("name")} dir="auto" autoComplete="off" />}
      </Field>
      {custom && (
        <Field label={t("keys.baseUrl")} hint={t("keys.baseUrlHint")} error={errors.base_url?.message}>
          {(control) => <Input {...control} {...form.register("base_url")} {...machineText} inputMode="url" />}
        </Field>
      )}
      <Field label={t("keys.key")} hint={t("keys.keyHint")} error={errors.key?.message}>
        {(control) => <PasswordInput {...control} {...form.register("key")} autoComplete="off" />}
      </Field>
      {custom && (
        <div className="grid gap-5 sm:grid-cols-2">
          <Field label={t("keys.promptPrice")} hint={t("keys.priceHint")} error={errors.prompt_price?.message}>
            {number("prompt_price")}
          </Field>
          <Field label={t("keys.completionPrice")} hint={t("keys.priceHint")} error={errors.completion_price?.message}>
            {number("completion_price")}
          </Field>
          <Field
            label={t("keys.context")}
            hint={t("keys.contextHint")}
            error={errors.context_length?.message}
            className="sm:col-span-2"
          >
            {number("context_length")}
          </Field>
        </div>
      )}
      <Checkbox label={t("keys.makeDefaultLabel")} {...form.register("is_default")} />
    </FormDialog>
  );
}

export function EditKeyDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const t = useT();
  const change = useChangeKey();
  const custom = apiKey.provider === "custom";
  const [version, setVersion] = useState(apiKey.version);
  const [theirs, setTheirs] = useState<ApiKey | null>(null);
  const before = { name: apiKey.name, base_url: apiKey.base_url ?? "", key: "" };
  const [moved, setMoved] = useState(false);
  const form = useForm<EditKeyValues>({
    resolver: zodResolver(editKeySchema(t, custom, moved)),
    defaultValues: before,
  });
  const { errors } = form.formState;
  const address = useWatch({ control: form.control, name: "base_url" });
  const nowMoved = custom && address.trim() !== before.base_url;
  if (nowMoved !== moved) setMoved(nowMoved);

  const send = async (values: EditKeyValues, from: number): Promise<void> => {
    const renamed = values.name !== before.name ? { name: values.name } : {};
    const body = moved ? { ...renamed, base_url: values.base_url, key: values.key } : renamed;
    try {
      if (Object.keys(body).length > 0) {
        await change.mutateAsync({ id: apiKey.id, version: from, body });
        toast({ text: t("done.saved") });
      }
      onClose();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 412) {
        applyDetails(form, error);
        return;
      }
      const fresh = await queryClient.fetchQuery(apiKeyQuery(apiKey.id)).catch(() => null);
      if (fresh === null) return;
      setVersion(fresh.version);
      const disputed =
        ("name" in renamed && fresh.name !== before.name) || (moved && (fresh.base_url ?? "") !== before.base_url);
      if (disputed) setTheirs(fresh);
      else await send(values, fresh.version);
    }
  };

  if (theirs !== null) {
    const mine = form.getValues();
    const fields = [
      { key: "name", label: t("keys.name"), mine: mine.name, theirs: theirs.name },
      { key: "base_url", label: t("keys.baseUrl"), mine: mine.base_url, theirs: theirs.base_url ?? "" },
    ];
    return (
      <ConflictDialog
        fields={fields.filter((field) => field.mine !== field.theirs)}
        onKeepMine={() => {
          setTheirs(null);
          void form.handleSubmit((values) => send(values, theirs.version))();
        }}
        onTakeTheirs={onClose}
      />
    );
  }
  return (
    <FormDialog
      form={form}
      title={t("keys.editTitle", { name: apiKey.name })}
      confirm={t("action.save")}
      pending={change.isPending}
      failure={change.error}
      onSubmit={() => void form.handleSubmit((values) => send(values, version))()}
      onClose={onClose}
    >
      <Field label={t("keys.name")} error={errors.name?.message}>
        {(control) => <Input {...control} {...form.register("name")} dir="auto" autoComplete="off" />}
      </Field>
      {custom && (
        <Field label={t("keys.baseUrl")} hint={t("keys.baseUrlHint")} error={errors.base_url?.message}>
          {(control) => <Input {...control} {...form.register("base_url")} {...machineText} inputMode="url" />}
        </Field>
      )}
      {moved && (
        <Field label={t("keys.key")} hint={t("keys.baseUrlNeedsKey")} error={errors.key?.message}>
          {(control) => <PasswordInput {...control} {...form.register("key")} autoComplete="off" />}
        </Field>
      )}
    </FormDialog>
  );
}

/** The last key typed wins: there is no old one to compare it with. */
export function ReplaceKeyDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const t = useT();
  const change = useChangeKey();
  const form = useForm({ resolver: zodResolver(replaceKeySchema(t)), defaultValues: { key: "" } });
  const submit = form.handleSubmit(async ({ key }) => {
    try {
      await change.mutateAsync({ id: apiKey.id, body: { key } });
      toast({ text: t("keys.replaced", { name: apiKey.name }) });
      onClose();
    } catch (error) {
      applyDetails(form, error);
    }
  });
  return (
    <FormDialog
      form={form}
      title={t("keys.replaceTitle", { name: apiKey.name })}
      description={t("keys.replaceBody")}
      confirm={t("keys.replaceConfirm")}
      pending={change.isPending}
      failure={change.error}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <Field label={t("keys.key")} hint={t("keys.keyHint")} error={form.formState.errors.key?.message}>
        {(control) => <PasswordInput {...control} {...form.register("key")} autoComplete="off" />}
      </Field>
    </FormDialog>
  );
}
