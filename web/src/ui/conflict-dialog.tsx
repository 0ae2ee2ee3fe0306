// Someone else saved first: shows both versions field by field and lets the person choose.
import type { ReactNode } from "react";
import { useT } from "@/i18n";
import { Button } from "./button";
import { Dialog } from "./dialog";

export interface DifferingField {
  readonly key: string;
  readonly label: ReactNode;
  readonly mine: string;
  readonly theirs: string;
}

interface ConflictDialogProps {
  /** Only the fields in which the two versions differ. */
  fields: readonly DifferingField[];
  onKeepMine: () => void;
  onTakeTheirs: () => void;
}

export function ConflictDialog({ fields, onKeepMine, onTakeTheirs }: ConflictDialogProps) {
  const t = useT();
  return (
    <Dialog
      open
      dismissible={false}
      onOpenChange={() => {}}
      className="sm:max-w-2xl"
      title={t("conflict.title")}
      description={t("conflict.body")}
    >
      <dl className="flex flex-col gap-4">
        {fields.map(({ key, label, mine, theirs }) => (
          <div key={key}>
            <dt className="font-semibold">{label}</dt>
            <dd className="mt-1 grid gap-2 sm:grid-cols-2">
              {[
                { side: t("conflict.mine"), text: mine },
                { side: t("conflict.theirs"), text: theirs },
              ].map(({ side, text }) => (
                <div key={side} className="rounded-control border p-2.5">
                  <p className="text-sm text-muted-foreground">{side}</p>
                  <p className="mt-0.5 max-h-40 overflow-y-auto whitespace-pre-wrap break-words" dir="auto">
                    {text}
                  </p>
                </div>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onTakeTheirs}>{t("conflict.takeTheirs")}</Button>
        <Button variant="primary" onClick={onKeepMine}>
          {t("conflict.keepMine")}
        </Button>
      </div>
    </Dialog>
  );
}
