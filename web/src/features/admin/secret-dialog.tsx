// A password the server tells only once: shown here, copied from here, and gone when this closes.
import type { ReactNode } from "react";
import { useT } from "@/i18n";
import { copyText } from "@/lib/clipboard";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { Dialog } from "@/ui/dialog";

interface SecretDialogProps {
  title: ReactNode;
  body: ReactNode;
  label: string;
  secret: string;
  onClose: () => void;
}

export function SecretDialog({ title, body, label, secret, onClose }: SecretDialogProps) {
  const t = useT();
  return (
    <Dialog open onOpenChange={onClose} title={title} description={body}>
      <div className="flex items-center justify-between gap-3 rounded-control border border-input bg-code-bg py-1 ps-3 pe-1">
        <output
          aria-label={label}
          className="isolate-ltr min-w-0 select-all font-mono text-lg [overflow-wrap:anywhere]"
        >
          {secret}
        </output>
        <CopyButton label={t("action.copy")} copy={() => copyText(secret)} className="shrink-0" />
      </div>
      <div className="flex justify-end">
        <Button variant="primary" onClick={onClose}>
          {t("action.close")}
        </Button>
      </div>
    </Dialog>
  );
}
