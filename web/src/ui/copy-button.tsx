// A button that copies and says so for two seconds, in its icon and to screen readers.
import { CheckIcon, CopyIcon } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { toast } from "./toast";

interface CopyButtonProps {
  readonly label: ReactNode;
  /** Does the copying; on `false` it has selected the text. */
  readonly copy: () => Promise<boolean>;
  readonly className?: string;
}

export function CopyButton({ label, copy, className }: CopyButtonProps) {
  const t = useT();
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  const onClick = async () => {
    if (await copy()) setDone(true);
    else toast({ text: t("done.copyManually") });
  };
  return (
    <button
      type="button"
      data-copy-skip
      onClick={() => void onClick()}
      className={cn(
        "inline-flex h-8 items-center gap-1.5 rounded-control px-2 text-md text-muted-foreground hoverable:hover:bg-muted hoverable:hover:text-foreground coarse:h-11",
        className,
      )}
    >
      {done ? (
        <CheckIcon className="size-4 text-success" strokeWidth={1.75} aria-hidden />
      ) : (
        <CopyIcon className="size-4" strokeWidth={1.75} aria-hidden />
      )}
      {label}
      <span role="status" className="sr-only">
        {done ? t("done.copied") : ""}
      </span>
    </button>
  );
}
