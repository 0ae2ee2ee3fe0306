// Email and password; also asked again in place when a session ends while someone is writing.
import { type FormEvent, useRef, useState } from "react";
import { ApiError, errorSentence } from "@/api/error";
import type { User } from "@/api/types";
import { type T, useT } from "@/i18n";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { Input, PasswordInput } from "@/ui/input";
import { InlineNotice } from "@/ui/notice";
import { useLogin } from "./api";

/** A wrong password and an unknown or inactive account read the same, so that nobody learns who has one. */
function loginSentence(error: unknown, t: T): string {
  if (error instanceof ApiError && error.status === 401) return t("login.wrong");
  if (error instanceof ApiError && error.code === "OtherPersonError") return t("expired.otherPerson");
  if (error instanceof ApiError && error.status === 429) {
    return t("login.throttled", { count: Math.max(1, Math.ceil((error.retryAfter ?? 60) / 60)) });
  }
  return errorSentence(error, t);
}

interface LoginFormProps {
  /** Given: only this person may sign in here, as their page is still open. */
  only?: User;
}

interface Problems {
  email?: string;
  password?: string;
}

/** Two fields need no form library: it would be a tenth of what everyone loads before signing in. */
export function LoginForm({ only }: LoginFormProps) {
  const t = useT();
  const email = only?.email;
  const login = useLogin(only);
  const form = useRef<HTMLFormElement>(null);
  const [problems, setProblems] = useState<Problems>({});
  const focus = (name: keyof Problems) => form.current?.querySelector<HTMLInputElement>(`[name=${name}]`)?.focus();

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (login.isPending) return;
    const data = new FormData(event.currentTarget);
    const input = { email: String(data.get("email")).trim(), password: String(data.get("password")) };
    const found: Problems = {};
    if (input.email === "") found.email = t("invalid.required");
    else if (!/^[^\s@]+@[^\s@]+$/u.test(input.email)) found.email = t("invalid.email");
    if (input.password === "") found.password = t("invalid.required");
    setProblems(found);
    if (found.email) focus("email");
    else if (found.password) focus("password");
    else login.mutate(input, { onError: () => focus(email === undefined ? "email" : "password") });
  };

  return (
    <form ref={form} noValidate onSubmit={submit} className="flex flex-col gap-4">
      {/* Where the person is known, the address stays in the form, unseen, for password managers. */}
      <Field label={t("field.email")} error={problems.email} className={email === undefined ? undefined : "sr-only"}>
        {(control) => (
          <Input
            {...control}
            name="email"
            type="email"
            inputMode="email"
            dir="ltr"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            defaultValue={email}
            readOnly={email !== undefined}
            tabIndex={email === undefined ? undefined : -1}
          />
        )}
      </Field>
      <Field label={t("field.password")} error={problems.password}>
        {(control) => <PasswordInput {...control} name="password" autoComplete="current-password" />}
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
