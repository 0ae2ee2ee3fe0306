// The person: name, e-mail, password.
import { zodResolver } from "@hookform/resolvers/zod";
import { useState } from "react";
import { useForm } from "react-hook-form";
import * as z from "zod/mini";
import { errorSentence } from "@/api/error";
import { applyDetails } from "@/api/form";
import type { User } from "@/api/types";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field } from "@/ui/field";
import { Input } from "@/ui/input";
import { LeaveGuard } from "@/ui/leave-guard";
import { InlineNotice } from "@/ui/notice";
import { toast } from "@/ui/toast";
import { useSaveName } from "./account-api";
import { personNameField } from "./fields";
import { PasswordForm } from "./password-form";

export function ProfileSection({ user }: { user: User }) {
  const t = useT();
  const [changing, setChanging] = useState(false);
  return (
    <div className="flex flex-col gap-7">
      <NameForm user={user} />
      <Field label={t("field.email")} hint={t("profile.emailHint")}>
        {(control) => <Input {...control} type="email" dir="ltr" value={user.email} readOnly className="bg-muted" />}
      </Field>
      <section aria-labelledby="profile-password">
        <h2 id="profile-password" className="text-base font-semibold">
          {t("field.password")}
        </h2>
        <p className="mt-0.5 mb-2 text-md text-muted-foreground">{t("profile.passwordHint")}</p>
        <Button onClick={() => setChanging(true)}>{t("profile.changePassword")}</Button>
      </section>
      <Dialog open={changing} onOpenChange={setChanging} title={t("password.title")} description={t("password.effect")}>
        <PasswordForm
          email={user.email}
          onChanged={() => {
            setChanging(false);
            toast({ text: t("password.changed") });
          }}
        />
      </Dialog>
    </div>
  );
}

function NameForm({ user }: { user: User }) {
  const t = useT();
  const save = useSaveName();
  const form = useForm<{ name: string }>({
    resolver: zodResolver(z.object({ name: personNameField(t) })),
    defaultValues: { name: user.name },
  });
  const { errors, isDirty } = form.formState;
  const submit = form.handleSubmit(async (input) => {
    try {
      const saved = await save.mutateAsync(input);
      form.reset({ name: saved.name });
      toast({ text: t("done.saved") });
    } catch (error) {
      applyDetails(form, error);
    }
  });
  return (
    <form noValidate onSubmit={submit} className="flex flex-col items-start gap-3">
      <Field label={t("field.name")} error={errors.name?.message} className="w-full">
        {(control) => <Input {...control} {...form.register("name")} dir="auto" autoComplete="name" />}
      </Field>
      {save.isError && errors.name === undefined && (
        <InlineNotice tone="error" role="alert" className="w-full">
          {errorSentence(save.error, t)}
        </InlineNotice>
      )}
      <Button type="submit" variant="primary" pending={save.isPending}>
        {t("action.save")}
      </Button>
      <LeaveGuard when={() => isDirty} title={t("form.leaveTitle")} body={t("form.leaveBody")} />
    </form>
  );
}
