// Shows the notices; one with an action waits longer and can be reached by F8.
import { X } from "lucide-react";
import { Toast as Base } from "radix-ui";
import { useT } from "@/i18n";
import { Button } from "./button";
import { removeToast, useToasts } from "./toast";

export default function Toaster() {
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
            removeToast(each.id);
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
                  removeToast(each.id);
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
