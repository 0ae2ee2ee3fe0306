// Changes the words of a message: a question to be asked again, or any message corrected in place (ui rule R20).
import { useRef, useState } from "react";
import { errorSentence } from "@/api/error";
import { usePublicSettings } from "@/api/settings";
import type { Message } from "@/api/types";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { ConfirmDialog, Dialog, DialogActions } from "@/ui/dialog";
import { Field } from "@/ui/field";
import { Textarea } from "@/ui/input";
import { RefusalNotice } from "./refusal-notice";
import type { Refusal } from "./streams";

interface EditDialogProps {
  /** `edit` asks the question again; `correct` changes the words and nothing else. */
  readonly kind: "edit" | "correct";
  readonly message: Message;
  /** What was written before the server refused it. */
  readonly refusal: Refusal | undefined;
  /** Resolves when the words are saved or on their way; its failure is shown here. */
  readonly onSave: (content: string) => Promise<void>;
  readonly onClose: () => void;
}

export function EditDialog({ kind, message, refusal, onSave, onClose }: EditDialogProps) {
  const t = useT();
  const { message_max_chars: longest } = usePublicSettings();
  const [text, setText] = useState(refusal?.content ?? message.content);
  const [asking, setAsking] = useState(false);
  const [pending, setPending] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const changed = text !== message.content;
  const length = [...text].length;
  const tooLong = length > longest;
  const ready = text.trim() !== "" && !tooLong && (changed || kind === "edit");
  const save = async () => {
    if (!ready || pending) return;
    setPending(true);
    setFailure(null);
    try {
      await onSave(text);
    } catch (error) {
      setFailure(error);
      setPending(false);
    }
  };
  const leave = () => {
    if (changed) setAsking(true);
    else onClose();
  };
  const error = tooLong
    ? t("chat.tooLong", { n: length, max: longest })
    : failure === null
      ? undefined
      : errorSentence(failure, t);
  return (
    <>
      <Dialog
        open
        onOpenChange={(open) => {
          if (!open) leave();
        }}
        title={t(kind === "edit" ? "chat.editTitle" : "chat.correctTitle")}
        description={t(kind === "edit" ? "chat.editBody" : "chat.correctBody")}
        className="sm:max-w-2xl"
      >
        {refusal !== undefined && <RefusalNotice refusal={refusal} />}
        <Field label={t("chat.editLabel")} error={error}>
          {(control) => (
            <Textarea
              {...control}
              ref={field}
              autoFocus
              value={text}
              className="max-h-[50dvh] min-h-32 overflow-y-auto"
              onFocus={(event) => event.target.setSelectionRange(event.target.value.length, event.target.value.length)}
              onChange={(event) => setText(event.target.value)}
              onKeyDown={(event) => {
                if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
                event.preventDefault();
                void save();
              }}
            />
          )}
        </Field>
        <DialogActions>
          <Button onClick={leave}>{t("action.cancel")}</Button>
          <Button variant="primary" pending={pending} disabled={!ready} onClick={() => void save()}>
            {t(kind === "edit" ? "chat.editSend" : "chat.correctSave")}
          </Button>
        </DialogActions>
      </Dialog>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={t("chat.discardTitle")}
        description={t("chat.discardBody")}
        cancelLabel={t("chat.keepEditing")}
        confirmLabel={t("chat.discard")}
        onConfirm={onClose}
      />
    </>
  );
}
