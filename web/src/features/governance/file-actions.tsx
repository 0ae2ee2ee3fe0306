// What an administrator can do with a file of the queue: have it read again, or remove it.
import { RotateCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { errorSentence } from "@/api/error";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { RemoveFileDialog } from "@/ui/remove-file-dialog";
import { toast } from "@/ui/toast";
import { readAgain, removeFile, useFileChange } from "./api";

interface FileActionsProps {
  readonly id: string;
  readonly name: string;
  /** A file that is being read cannot be read again before it is done. */
  readonly canRetry: boolean;
}

export function FileActions({ id, name, canRetry }: FileActionsProps) {
  const t = useT();
  const [asking, setAsking] = useState(false);
  const again = useFileChange(readAgain);
  const remove = useFileChange(removeFile);
  return (
    <span className="inline-flex gap-0.5">
      {canRetry && (
        <Button
          variant="ghost"
          size="icon-sm"
          aria-label={t("queue.tryAgain", { name })}
          title={t("action.tryAgain")}
          pending={again.isPending}
          onClick={() =>
            again.mutate(id, {
              onSuccess: () => toast({ text: t("queue.retried", { name }) }),
              onError: (error) => toast({ text: errorSentence(error, t) }),
            })
          }
        >
          <RotateCw aria-hidden />
        </Button>
      )}
      <Button
        variant="ghost"
        size="icon-sm"
        aria-label={t("queue.remove", { name })}
        title={t("action.remove")}
        onClick={() => setAsking(true)}
      >
        <Trash2 aria-hidden />
      </Button>
      <RemoveFileDialog
        open={asking}
        onOpenChange={setAsking}
        id={id}
        name={name}
        remove={remove}
        problem={remove.isError ? errorSentence(remove.error, t) : null}
      />
    </span>
  );
}
