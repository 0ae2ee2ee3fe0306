// The first account of a fresh server, made once with the token from the link the server printed.
import { zodResolver } from "@hookform/resolvers/zod";
import { useForm } from "react-hook-form";
import * as z from "zod/mini";
import { ApiError, errorSentence } from "@/api/error";
import { applyDetails } from "@/api/form";
import { type T, useT } from "@/i18n";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { Input, PasswordInput } from "@/ui/input";
import { InlineNotice } from "@/ui/notice";
import { type SetupInput, useSetup } from "./api";
import { emailField, newPasswordField, passwordField, personNameField } from "./fields";

function setupSentence(error: unknown, t: T): string {
  if (error instanceof ApiError && error.status === 401) return t("setup.wrongToken");
  if (error instanceof ApiError && error.status === 404) return t("setup.done");
  return errorSentence(error, t);
}

interface SetupFormProps {
  /** From the link; empty when the page was opened without it. */
  token: string;
}

export function SetupForm({ token }: SetupFormProps) {
  const t = useT();
  const setup = useSetup();
  const form = useForm<SetupInput>({
    resolver: zodResolver(
      z.object({
        token: passwordField(t),
        name: personNameField(t),
        email: emailField(t),
        password: newPasswordField(t),
      }),
    ),
    defaultValues: { token, name: "", email: "", password: "" },
  });
  const { errors } = form.formState;
  const wrongToken = setup.error instanceof ApiError && setup.error.status === 401;
  const submit = form.handleSubmit((input) =>
    setup.mutateAsync(input).catch((error: unknown) => {
      applyDetails(form, error);
    }),
  );
  return (
    <form noValidate onSubmit={submit} className="flex flex-col gap-4">
      {(token === "" || wrongToken) && (
        <Field label={t("setup.token")} hint={t("setup.tokenHint")} error={errors.token?.message}>
          {(control) => (
            <Input {...control} {...form.register("token")} dir="ltr" autoComplete="off" spellCheck={false} />
          )}
        </Field>
      )}
      <Field label={t("setup.name")} error={errors.name?.message}>
        {(control) => <Input {...control} {...form.register("name")} dir="auto" autoComplete="name" />}
      </Field>
      <Field label={t("field.email")} error={errors.email?.message}>
        {(control) => (
          <Input
            {...control}
            {...form.register("email")}
            type="email"
            dir="ltr"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
          />
        )}
      </Field>
      <Field label={t("field.password")} hint={t("setup.passwordHint")} error={errors.password?.message}>
        {(control) => <PasswordInput {...control} {...form.register("password")} autoComplete="new-password" />}
      </Field>
      {setup.isError && (
        <InlineNotice tone="error" role="alert">
          {setupSentence(setup.error, t)}
        </InlineNotice>
      )}
      <Button type="submit" variant="primary" pending={setup.isPending} className="mt-1 h-10 w-full">
        {t("setup.submit")}
      </Button>
    </form>
  );
}
