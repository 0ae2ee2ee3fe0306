// The question before a knowledge file is removed, and why it could not be.
import type { UseMutationResult } from "@tanstack/react-query";
import { useT } from "@/i18n";
import { ConfirmDialog } from "./dialog";
import { InlineNotice } from "./notice";
import { toast } from "./toast";

interface RemoveFileDialogProps {
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  readonly id: string;
  readonly name: string;
  readonly remove: UseMutationResult<unknown, unknown, string>;
  /** Why it could not be removed. */
  readonly problem: string | null;
}

export function RemoveFileDialog({ open, onOpenChange, id, name, remove, problem }: RemoveFileDialogProps) {
  const t = useT();
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(open) => {
        onOpenChange(open);
        remove.reset();
      }}
      title={t("files.removeTitle", { name })}
      description={t("files.removeBody")}
      confirmLabel={t("files.removeConfirm")}
      pending={remove.isPending}
      onConfirm={() =>
        remove.mutate(id, {
          onSuccess: () => {
            onOpenChange(false);
            toast({ text: t("files.removed", { name }) });
          },
        })
      }
    >
      {problem !== null && (
        <InlineNotice tone="error" role="alert">
          {problem}
        </InlineNotice>
      )}
    </ConfirmDialog>
  );
}
