// A new password in place of the current one.
import { zodResolver } from "@hookform/resolvers/zod";
import { useForm } from "react-hook-form";
import * as z from "zod/mini";
import { ApiError, errorSentence } from "@/api/error";
import { applyDetails } from "@/api/form";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { PasswordInput } from "@/ui/input";
import { InlineNotice } from "@/ui/notice";
import { useChangePassword } from "./api";
import { newPasswordField, passwordField } from "./fields";

export function PasswordForm() {
  const t = useT();
  const change = useChangePassword();
  const schema = z.object({ current_password: passwordField(t), new_password: newPasswordField(t) }).check(
    z.refine((value) => value.current_password !== value.new_password, {
      error: t("invalid.passwordSame"),
      path: ["new_password"],
    }),
  );
  const form = useForm<z.infer<typeof schema>>({
    resolver: zodResolver(schema),
    defaultValues: { current_password: "", new_password: "" },
  });
  const { errors } = form.formState;
  const submit = form.handleSubmit((input) =>
    change.mutateAsync(input).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 403) {
        form.setError("current_password", { message: t("password.wrong") }, { shouldFocus: true });
      } else applyDetails(form, error);
    }),
  );
  const unplaced = change.isError && !errors.current_password && !errors.new_password;
  return (
    <form noValidate onSubmit={submit} className="flex flex-col gap-4">
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
          {errorSentence(change.error, t)}
        </InlineNotice>
      )}
      <Button type="submit" variant="primary" pending={change.isPending} className="mt-1 h-10 w-full">
        {t("password.submit")}
      </Button>
    </form>
  );
}
