// Email and password; also asked again in place when a session ends while someone is writing.
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
import { type Credentials, useLogin } from "./api";
import { emailField, passwordField } from "./fields";

/** A wrong password and an unknown or inactive account read the same, so that nobody learns who has one. */
function loginSentence(error: unknown, t: T): string {
  if (error instanceof ApiError && error.status === 401) return t("login.wrong");
  if (error instanceof ApiError && error.status === 429) {
    return t("login.throttled", { count: Math.max(1, Math.ceil((error.retryAfter ?? 60) / 60)) });
  }
  return errorSentence(error, t);
}

interface LoginFormProps {
  /** Given: only this person may sign in here, as their page is still open. */
  email?: string;
  onDone?: () => void;
}

export function LoginForm({ email, onDone }: LoginFormProps) {
  const t = useT();
  const login = useLogin();
  const form = useForm<Credentials>({
    resolver: zodResolver(z.object({ email: emailField(t), password: passwordField(t) })),
    defaultValues: { email: email ?? "", password: "" },
  });
  const { errors } = form.formState;
  const submit = form.handleSubmit((input) =>
    login.mutateAsync(input).then(onDone, (error: unknown) => {
      if (!applyDetails(form, error)) form.setFocus(email === undefined ? "email" : "password");
    }),
  );
  return (
    <form noValidate onSubmit={submit} className="flex flex-col gap-4">
      {/* The address stays in the form, unseen, for password managers. */}
      <Field
        label={t("field.email")}
        error={errors.email?.message}
        {...(email === undefined ? {} : { className: "sr-only" })}
      >
        {(control) => (
          <Input
            {...control}
            {...form.register("email")}
            type="email"
            inputMode="email"
            dir="ltr"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            readOnly={email !== undefined}
            tabIndex={email === undefined ? undefined : -1}
          />
        )}
      </Field>
      <Field label={t("field.password")} error={errors.password?.message}>
        {(control) => <PasswordInput {...control} {...form.register("password")} autoComplete="current-password" />}
      </Field>
      {login.isError && (
        <InlineNotice tone="error" role="alert">
          {loginSentence(login.error, t)}
        </InlineNotice>
      )}
      <Button type="submit" variant="primary" pending={login.isPending} className="mt-1 h-10 w-full">
        {t("login.submit")}
      </Button>
    </form>
  );
}
