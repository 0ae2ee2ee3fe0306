// Things that open over the page: dialog, confirmation, and a sheet from the side.
import { X } from "lucide-react";
import { AlertDialog as Alert, Dialog as Base } from "radix-ui";
import type { ReactNode } from "react";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { Button } from "./button";
import { useReturnFocus } from "./use-return-focus";

const overlay = "fixed inset-0 z-40 bg-[oklch(0.2_0.02_235/0.42)] animate-fade-in";
/** Centred from 640 px up, a bottom sheet below. */
const panel =
  "fixed z-50 flex flex-col gap-4 bg-surface p-5 text-foreground shadow-float animate-rise-in outline-none max-sm:inset-x-0 max-sm:bottom-0 max-sm:max-h-[92dvh] max-sm:rounded-t-panel max-sm:pb-[max(1.25rem,env(safe-area-inset-bottom))] sm:inset-0 sm:m-auto sm:h-fit sm:max-h-[86dvh] sm:w-[calc(100vw-2rem)] sm:max-w-md sm:rounded-panel sm:border overflow-y-auto overscroll-contain";

interface DialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  description?: ReactNode;
  className?: string;
  /** Closing by Esc, by a click outside and by the cross; without it the dialog must be answered. */
  dismissible?: boolean;
  children: ReactNode;
}

export function Dialog({
  open,
  onOpenChange,
  title,
  description,
  className,
  dismissible = true,
  children,
}: DialogProps) {
  const t = useT();
  const returnFocus = useReturnFocus(open);
  const hold = dismissible ? undefined : (event: Event) => event.preventDefault();
  return (
    <Base.Root open={open} onOpenChange={onOpenChange}>
      <Base.Portal>
        <Base.Overlay className={overlay} />
        <Base.Content
          data-slot="dialog"
          className={cn(panel, className)}
          {...(description ? {} : { "aria-describedby": undefined })}
          onCloseAutoFocus={returnFocus}
          onEscapeKeyDown={hold}
          onPointerDownOutside={hold}
          onInteractOutside={hold}
        >
          <div className="flex items-start justify-between gap-4">
            <div className="min-w-0">
              <Base.Title className="font-display text-h3 font-semibold">{title}</Base.Title>
              {description && <Base.Description className="mt-1 text-muted-foreground">{description}</Base.Description>}
            </div>
            {dismissible && (
              <Base.Close asChild>
                <Button variant="ghost" size="icon-sm" className="-me-1.5 -mt-1" aria-label={t("action.close")}>
                  <X aria-hidden />
                </Button>
              </Base.Close>
            )}
          </div>
          {children}
        </Base.Content>
      </Base.Portal>
    </Base.Root>
  );
}

/** The buttons under a dialog's form: they stay in sight while a long form scrolls under them. */
export function DialogActions({ children }: { children: ReactNode }) {
  return (
    <div className="sticky -bottom-5 -mx-5 -mb-5 flex flex-wrap justify-end gap-2 border-t bg-surface px-5 pt-4 pb-5 max-sm:-bottom-[max(1.25rem,env(safe-area-inset-bottom))]">
      {children}
    </div>
  );
}

interface ConfirmDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  description: ReactNode;
  confirmLabel: string;
  cancelLabel?: string;
  pending?: boolean;
  /** False keeps the confirming button off, for instance until a name is typed. */
  ready?: boolean;
  onConfirm: () => void;
  children?: ReactNode;
}

/** Asks before something that cannot be taken back at once; focus starts on Cancel. */
export function ConfirmDialog({
  open,
  onOpenChange,
  title,
  description,
  confirmLabel,
  cancelLabel,
  pending = false,
  ready = true,
  onConfirm,
  children,
}: ConfirmDialogProps) {
  const t = useT();
  const returnFocus = useReturnFocus(open);
  return (
    <Alert.Root open={open} onOpenChange={onOpenChange}>
      <Alert.Portal>
        <Alert.Overlay className={overlay} />
        <Alert.Content data-slot="confirm-dialog" className={panel} onCloseAutoFocus={returnFocus}>
          <div>
            <Alert.Title className="font-display text-h3 font-semibold">{title}</Alert.Title>
            <Alert.Description className="mt-1.5 text-muted-foreground">{description}</Alert.Description>
          </div>
          {children}
          <div className="flex flex-wrap justify-end gap-2">
            <Alert.Cancel asChild>
              <Button>{cancelLabel ?? t("action.cancel")}</Button>
            </Alert.Cancel>
            <Button variant="danger" pending={pending} disabled={!ready} onClick={onConfirm}>
              {confirmLabel}
            </Button>
          </div>
        </Alert.Content>
      </Alert.Portal>
    </Alert.Root>
  );
}

interface SheetProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** Read by screen readers; the sheet's content shows its own heading. */
  title: string;
  side: "start" | "end";
  className?: string;
  children: ReactNode;
}

export function Sheet({ open, onOpenChange, title, side, className, children }: SheetProps) {
  const returnFocus = useReturnFocus(open);
  return (
    <Base.Root open={open} onOpenChange={onOpenChange}>
      <Base.Portal>
        <Base.Overlay className={overlay} />
        <Base.Content
          data-slot="sheet"
          aria-describedby={undefined}
          onCloseAutoFocus={returnFocus}
          className={cn(
            "fixed inset-y-0 z-50 flex w-[min(86vw,20rem)] flex-col bg-surface shadow-float outline-none animate-sheet-in",
            side === "start"
              ? "start-0 border-e [--sheet-from:-100%] rtl:[--sheet-from:100%]"
              : "end-0 border-s [--sheet-from:100%] rtl:[--sheet-from:-100%]",
            className,
          )}
        >
          <Base.Title className="sr-only">{title}</Base.Title>
          {children}
        </Base.Content>
      </Base.Portal>
    </Base.Root>
  );
}
