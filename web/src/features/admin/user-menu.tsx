// What an administrator can do with one account, and the questions asked before it is done.
import { Ellipsis } from "lucide-react";
import { useState } from "react";
import { errorSentence } from "@/api/error";
import type { Account } from "@/api/types";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { ConfirmByName } from "@/ui/confirm-by-name";
import { ConfirmDialog } from "@/ui/dialog";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/ui/menu";
import { InlineNotice } from "@/ui/notice";
import { toast } from "@/ui/toast";
import { useChangeAccount, useDeleteAccount, useResetPassword, useRevokeSessions } from "./users-api";

type Question = "resetPassword" | "signOut" | "deactivate" | "delete";

interface UserMenuProps {
  account: Account;
  onEdit: () => void;
  onTemporaryPassword: (account: Account, password: string) => void;
}

export function UserMenu({ account, onEdit, onTemporaryPassword }: UserMenuProps) {
  const t = useT();
  const [question, setQuestion] = useState<Question | null>(null);
  const change = useChangeAccount();
  const { id, name } = account;
  const activate = () =>
    change.mutate(
      { id, body: { is_active: true } },
      {
        onSuccess: () => toast({ text: t("users.wasActivated", { name }) }),
        onError: (error) => toast({ text: errorSentence(error, t) }),
      },
    );
  return (
    <>
      <Menu>
        <MenuTrigger>
          <Button variant="ghost" size="icon-sm" aria-label={t("admin.actionsFor", { name })}>
            <Ellipsis aria-hidden />
          </Button>
        </MenuTrigger>
        <MenuContent align="end">
          <MenuItem onSelect={onEdit}>{t("users.edit")}</MenuItem>
          <MenuItem onSelect={() => setQuestion("resetPassword")}>{t("users.resetPassword")}</MenuItem>
          <MenuItem onSelect={() => setQuestion("signOut")}>{t("users.signOut")}</MenuItem>
          {account.is_active ? (
            <MenuItem onSelect={() => setQuestion("deactivate")}>{t("users.deactivate")}</MenuItem>
          ) : (
            <MenuItem onSelect={activate}>{t("users.activate")}</MenuItem>
          )}
          <MenuSeparator />
          <MenuItem danger onSelect={() => setQuestion("delete")}>
            {t("users.delete")}
          </MenuItem>
        </MenuContent>
      </Menu>
      <UserQuestion
        account={account}
        question={question}
        onClose={() => setQuestion(null)}
        onTemporaryPassword={onTemporaryPassword}
      />
    </>
  );
}

interface UserQuestionProps {
  account: Account;
  question: Question | null;
  onClose: () => void;
  onTemporaryPassword: (account: Account, password: string) => void;
}

function UserQuestion({ account, question, onClose, onTemporaryPassword }: UserQuestionProps) {
  const t = useT();
  const { id, name } = account;
  const change = useChangeAccount();
  const remove = useDeleteAccount();
  const reset = useResetPassword();
  const revoke = useRevokeSessions();
  const ends = (text: string) => ({
    onSuccess: () => {
      onClose();
      toast({ text });
    },
  });
  const acts = {
    resetPassword: {
      ask: ["users.resetTitle", "users.resetBody", "users.resetConfirm"],
      work: reset,
      run: () =>
        reset.mutate(id, {
          onSuccess: ({ temporary_password: password }) => {
            onClose();
            if (password) onTemporaryPassword(account, password);
          },
        }),
    },
    signOut: {
      ask: ["users.signOutTitle", "users.signOutBody", "users.signOutConfirm"],
      work: revoke,
      run: () => revoke.mutate(id, ends(t("users.signedOut", { name }))),
    },
    deactivate: {
      ask: ["users.deactivateTitle", "users.deactivateBody", "users.deactivateConfirm"],
      work: change,
      run: () => change.mutate({ id, body: { is_active: false } }, ends(t("users.wasDeactivated", { name }))),
    },
    delete: {
      ask: ["users.deleteTitle", "users.deleteBody", "users.deleteConfirm"],
      work: remove,
      run: () => remove.mutate(id, ends(t("users.wasDeleted", { name }))),
    },
  } as const;
  const [last, setLast] = useState<Question>("signOut");
  // While the dialog closes it keeps its words.
  if (question !== null && question !== last) setLast(question);
  const { ask, work, run } = acts[question ?? last];
  const dialog = {
    open: question !== null,
    onOpenChange: (open: boolean) => {
      if (open) return;
      work.reset();
      onClose();
    },
    title: t(ask[0], { name }),
    description: t(ask[1]),
    confirmLabel: t(ask[2]),
    pending: work.isPending,
    onConfirm: run,
    children: work.isError && (
      <InlineNotice tone="error" role="alert">
        {errorSentence(work.error, t)}
      </InlineNotice>
    ),
  };
  return (question ?? last) === "delete" ? <ConfirmByName {...dialog} name={name} /> : <ConfirmDialog {...dialog} />;
}
