// Short notices that pass by: `toast({ text })` from anywhere; one with an action waits longer and can be reached by F8.
import { X } from "lucide-react";
import { Toast as Base } from "radix-ui";
import { create } from "zustand";
import { useT } from "@/i18n";
import { Button } from "./button";

export interface ToastOptions {
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
  /** Milliseconds; 5 s, or 8 s with an action, unless said otherwise. */
  readonly duration?: number;
  /** Runs once when the toast goes away for any reason but its action. */
  readonly onClose?: () => void;
}

interface Shown extends ToastOptions {
  readonly id: number;
}

const useToasts = create<{ shown: readonly Shown[] }>(() => ({ shown: [] }));
let next = 0;

/** Shows a notice; the returned function takes it away. */
export function toast(options: ToastOptions): () => void {
  next += 1;
  const id = next;
  useToasts.setState((state) => ({ shown: [...state.shown.slice(-2), { ...options, id }] }));
  return () => remove(id);
}

function remove(id: number): void {
  useToasts.setState((state) => ({ shown: state.shown.filter((each) => each.id !== id) }));
}

export function Toaster() {
  const t = useT();
  const shown = useToasts((state) => state.shown);
  return (
    <Base.Provider swipeDirection="down">
      {shown.map((each) => (
        <Base.Root
          key={each.id}
          duration={each.duration ?? (each.action ? 8_000 : 5_000)}
          onOpenChange={(open) => {
            if (open) return;
            remove(each.id);
            each.onClose?.();
          }}
          className="flex items-center gap-3 rounded-card bg-foreground py-2 ps-4 pe-2 text-background shadow-float animate-rise-in"
        >
          <Base.Description className="min-w-0 flex-1 text-base" dir="auto">
            {each.text}
          </Base.Description>
          {each.action && (
            <Base.Action asChild altText={each.action.label}>
              <button
                type="button"
                className="min-h-8 rounded-[6px] px-2 font-semibold underline underline-offset-3 focus-visible:outline-background"
                onClick={(event) => {
                  // Radix would close through onOpenChange, which means "not taken".
                  event.preventDefault();
                  remove(each.id);
                  each.action?.run();
                }}
              >
                {each.action.label}
              </button>
            </Base.Action>
          )}
          <Base.Close asChild>
            <Button
              variant="ghost"
              size="icon-sm"
              className="text-background focus-visible:outline-background hoverable:hover:bg-background/15"
              aria-label={t("action.close")}
            >
              <X aria-hidden />
            </Button>
          </Base.Close>
        </Base.Root>
      ))}
      <Base.Viewport className="fixed inset-x-4 bottom-[max(1rem,env(safe-area-inset-bottom))] z-[60] mx-auto flex max-w-md flex-col gap-2 outline-none" />
    </Base.Provider>
  );
}
