// Changes one's own password: the present one, and a new one.
import { zodResolver } from "@hookform/resolvers/zod";
import { useForm } from "react-hook-form";
import * as z from "zod/mini";
import { ApiError, errorSentence } from "@/api/error";
import { applyDetails } from "@/api/form";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { Input, PasswordInput } from "@/ui/input";
import { InlineNotice } from "@/ui/notice";
import { type PasswordChange, useChangePassword } from "./account-api";
import { newPasswordField, passwordField } from "./fields";

interface PasswordFormProps {
  /** For password managers; the field is not shown. */
  email: string;
  onChanged: () => void;
}

export function PasswordForm({ email, onChanged }: PasswordFormProps) {
  const t = useT();
  const change = useChangePassword();
  const form = useForm<PasswordChange>({
    resolver: zodResolver(z.object({ current_password: passwordField(t), new_password: newPasswordField(t) })),
    defaultValues: { current_password: "", new_password: "" },
  });
  const { errors } = form.formState;
  const save = async (input: PasswordChange) => {
    try {
      await change.mutateAsync(input);
      onChanged();
    } catch (error) {
      if (error instanceof ApiError && error.status === 403) {
        form.setError("current_password", { message: t("password.wrong") }, { shouldFocus: true });
      } else applyDetails(form, error);
    }
  };
  const unplaced = change.isError && Object.keys(errors).length === 0;
  const wait = change.error instanceof ApiError && change.error.status === 429 ? (change.error.retryAfter ?? 60) : null;
  return (
    <form noValidate onSubmit={form.handleSubmit(save)} className="flex flex-col gap-4">
      <div className="sr-only">
        <Field label={t("field.email")}>
          {(control) => (
            <Input {...control} type="email" autoComplete="username" value={email} readOnly tabIndex={-1} />
          )}
        </Field>
      </div>
      <Field label={t("password.current")} error={errors.current_password?.message}>
        {(control) => (
          <PasswordInput {...control} {...form.register("current_password")} autoComplete="current-password" />
        )}
      </Field>
      <Field label={t("password.new")} hint={t("setup.passwordHint")} error={errors.new_password?.message}>
        {(control) => <PasswordInput {...control} {...form.register("new_password")} autoComplete="new-password" />}
      </Field>
      {unplaced && (
        <InlineNotice tone="error" role="alert">
          {wait === null
            ? errorSentence(change.error, t)
            : t("login.throttled", { count: Math.max(1, Math.ceil(wait / 60)) })}
        </InlineNotice>
      )}
      <Button type="submit" variant="primary" pending={change.isPending} className="mt-1">
        {t("password.submit")}
      </Button>
    </form>
  );
}
