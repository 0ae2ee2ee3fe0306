// Deletes an assistant after its name was typed; a restore brings it back.
import { useState } from "react";
import { errorSentence } from "@/api/error";
import type { Assistant } from "@/api/types";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { ConfirmByName } from "@/ui/confirm-by-name";
import { InlineNotice } from "@/ui/notice";
import { toast } from "@/ui/toast";
import { useDeleteAssistant, useRestoreAssistant } from "./api";

export function DeleteAssistant({ assistant, onDeleted }: { assistant: Assistant; onDeleted: () => void }) {
  const t = useT();
  const [open, setOpen] = useState(false);
  const remove = useDeleteAssistant(assistant.id);
  const { name } = assistant;
  return (
    <>
      <Button variant="ghost" className="-ms-3.5 text-destructive" onClick={() => setOpen(true)}>
        {t("assistant.delete")}
      </Button>
      <ConfirmByName
        open={open}
        onOpenChange={(next) => {
          setOpen(next);
          remove.reset();
        }}
        title={t("assistant.deleteTitle", { name })}
        description={t("assistant.deleteBody", { count: assistant.file_count })}
        confirmLabel={t("assistant.deleteConfirm")}
        pending={remove.isPending}
        name={name}
        onConfirm={() =>
          remove.mutate(undefined, {
            onSuccess: () => {
              setOpen(false);
              toast({ text: t("assistant.wasDeleted", { name }) });
              onDeleted();
            },
          })
        }
      >
        {remove.isError && (
          <InlineNotice tone="error" role="alert">
            {errorSentence(remove.error, t)}
          </InlineNotice>
        )}
      </ConfirmByName>
    </>
  );
}

export function RestoreAssistant({ assistant }: { assistant: Assistant }) {
  const t = useT();
  const restore = useRestoreAssistant(assistant.id);
  return (
    <Button
      variant="primary"
      pending={restore.isPending}
      onClick={() =>
        restore.mutate(undefined, {
          onSuccess: () => toast({ text: t("assistant.restored", { name: assistant.name }) }),
          onError: (error) => toast({ text: errorSentence(error, t) }),
        })
      }
    >
      {t("action.restore")}
    </Button>
  );
}
