// Adds a person, or changes their account.
import { zodResolver } from "@hookform/resolvers/zod";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { useForm, useWatch } from "react-hook-form";
import { ApiError, errorParts, errorSentence } from "@/api/error";
import { applyDetails } from "@/api/form";
import { queryClient } from "@/api/query";
import type { Account } from "@/api/types";
import { useT } from "@/i18n";
import { keyPerBody } from "@/lib/idempotency";
import { Button } from "@/ui/button";
import { ConflictDialog } from "@/ui/conflict-dialog";
import { Dialog, DialogActions } from "@/ui/dialog";
import { Field } from "@/ui/field";
import { Input, NativeSelect } from "@/ui/input";
import { LeaveGuard } from "@/ui/leave-guard";
import { InlineNotice } from "@/ui/notice";
import { ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { Checkbox } from "@/ui/switch";
import { toast } from "@/ui/toast";
import { type AccountValues, accountSchema, changes, toValues } from "./user-schema";
import { accountQuery, ROLES, useAddAccount, useChangeAccount } from "./users-api";

interface AddUserProps {
  onClose: () => void;
  /** The account exists now; its password is known only here. */
  onAdded: (account: Account, temporaryPassword: string | null) => void;
}

export function AddUserDialog({ onClose, onAdded }: AddUserProps) {
  const t = useT();
  const add = useAddAccount();
  const [keyOf] = useState(keyPerBody);
  return (
    <UserForm
      account={null}
      pending={add.isPending}
      onCancel={onClose}
      save={async ({ email, name, role }) => {
        const body = { email, name, role };
        const { temporary_password: password, ...account } = await add.mutateAsync({ body, key: keyOf(body) });
        toast({ text: t("users.added", { name }) });
        onAdded(account, password ?? null);
      }}
    />
  );
}

export function EditUserDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const t = useT();
  // What is being edited stays as it was loaded: a refetch must not pull the text from under the writer.
  const query = useQuery({ ...accountQuery(id), refetchOnWindowFocus: false, refetchOnReconnect: false });
  const change = useChangeAccount();
  if (query.data !== undefined) {
    const account = query.data;
    return (
      <UserForm
        account={account}
        pending={change.isPending}
        onCancel={onClose}
        save={async (values, version, before) => {
          const body = changes(before, values);
          if (Object.keys(body).length > 0) {
            await change.mutateAsync({ id, version, body });
            toast({ text: t("done.saved") });
          }
          onClose();
        }}
      />
    );
  }
  return (
    <Dialog open onOpenChange={onClose} title={t("users.edit")}>
      {query.isError ? (
        <ErrorState
          title={t("error.couldNotLoad", { things: t("users.oneThing") })}
          {...errorParts(query.error, t)}
          onRetry={() => void query.refetch()}
        />
      ) : (
        <Loading label={t("users.loadingOne")}>
          <SkeletonRows />
        </Loading>
      )}
    </Dialog>
  );
}

interface UserFormProps {
  account: Account | null;
  pending: boolean;
  onCancel: () => void;
  /** Throws what the server refused; `before` is what the person started from. */
  save: (values: AccountValues, version: number, before: AccountValues) => Promise<void>;
}

function UserForm({ account: given, pending, onCancel, save }: UserFormProps) {
  const t = useT();
  // What the person began with; the account that comes in changes when it is read again.
  const [account] = useState(given);
  const [base, setBase] = useState(account);
  const [theirs, setTheirs] = useState<Account | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const form = useForm<AccountValues>({ resolver: zodResolver(accountSchema(t)), defaultValues: toValues(account) });
  const { errors, isDirty } = form.formState;
  const role = useWatch({ control: form.control, name: "role" });
  const done = useRef(false);
  const unsaved = useCallback(() => isDirty && !done.current, [isDirty]);

  /** What both changed, and differently. */
  const disputed = (mine: AccountValues, other: Account) => {
    const [start, theirs] = [toValues(account), toValues(other)];
    const names = Object.keys(start) as (keyof AccountValues)[];
    return names.filter(
      (name) => mine[name] !== start[name] && theirs[name] !== start[name] && mine[name] !== theirs[name],
    );
  };

  const send = async (values: AccountValues, from: Account | null): Promise<void> => {
    setFailure(null);
    try {
      done.current = true;
      await save(values, from?.version ?? 0, toValues(account));
    } catch (error) {
      done.current = false;
      if (error instanceof ApiError && error.status === 412 && account !== null) {
        const fresh = await queryClient.fetchQuery(accountQuery(account.id)).catch(() => null);
        // Changes to different fields do not touch each other.
        if (fresh !== null && disputed(values, fresh).length === 0) return send(values, fresh);
        setTheirs(fresh);
        setFailure(error);
      } else if (!applyDetails(form, error)) setFailure(error);
    }
  };
  const submit = form.handleSubmit((values) => send(values, base));

  const labels: Record<keyof AccountValues, string> = {
    email: t("users.email"),
    name: t("users.name"),
    role: t("users.role"),
    is_active: t("users.activeLabel"),
    must_change_password: t("users.mustChangeLabel"),
  };
  const word = (name: keyof AccountValues, values: AccountValues) => {
    const value = values[name];
    if (typeof value === "boolean") return value ? t("admin.yes") : t("admin.no");
    return name === "role" ? t(`role.${values.role}`) : value;
  };

  if (theirs !== null && account !== null) {
    const mine = form.getValues();
    const other = toValues(theirs);
    return (
      <ConflictDialog
        fields={disputed(mine, theirs).map((name) => ({
          key: name,
          label: labels[name],
          mine: word(name, mine),
          theirs: word(name, other),
        }))}
        onKeepMine={() => {
          setBase(theirs);
          setTheirs(null);
          void form.handleSubmit((values) => send(values, theirs))();
        }}
        onTakeTheirs={onCancel}
      />
    );
  }
  return (
    <Dialog
      open
      dismissible={!isDirty}
      onOpenChange={onCancel}
      title={account === null ? t("users.addTitle") : t("users.editTitle", { name: account.name })}
      description={account === null ? t("users.addBody") : undefined}
    >
      <form noValidate onSubmit={submit} className="flex flex-col gap-5">
        <Field label={labels.name} error={errors.name?.message}>
          {(control) => <Input {...control} {...form.register("name")} dir="auto" autoComplete="off" />}
        </Field>
        <Field label={labels.email} error={errors.email?.message}>
          {(control) => (
            <Input
              {...control}
              {...form.register("email")}
              type="email"
              inputMode="email"
              dir="ltr"
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
            />
          )}
        </Field>
        <Field label={labels.role} hint={t(`users.roleHint.${role}`)} error={errors.role?.message}>
          {(control) => (
            <NativeSelect {...control} {...form.register("role")}>
              {ROLES.map((each) => (
                <option key={each} value={each}>
                  {t(`role.${each}`)}
                </option>
              ))}
            </NativeSelect>
          )}
        </Field>
        {account !== null && (
          <div>
            <Checkbox label={labels.is_active} {...form.register("is_active")} />
            <Checkbox label={labels.must_change_password} {...form.register("must_change_password")} />
          </div>
        )}
        {failure !== null && (
          <InlineNotice tone="error" role="alert">
            {errorSentence(failure, t)}
          </InlineNotice>
        )}
        <DialogActions>
          <Button onClick={onCancel}>{t("action.cancel")}</Button>
          <Button type="submit" variant="primary" pending={pending}>
            {account === null ? t("users.create") : t("action.save")}
          </Button>
        </DialogActions>
      </form>
      <LeaveGuard when={unsaved} title={t("form.leaveTitle")} body={t("form.leaveBody")} />
    </Dialog>
  );
}
