// A sentence inside the page that someone should not miss.
import { CircleAlert, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

const looks = {
  info: { icon: Info, className: "bg-muted text-foreground" },
  warning: { icon: TriangleAlert, className: "bg-warning-surface text-warning" },
  error: { icon: CircleAlert, className: "bg-destructive-surface text-destructive" },
} as const;

interface InlineNoticeProps {
  tone?: keyof typeof looks;
  /** `alert` interrupts a screen reader: for the answer to something just done. */
  role?: "alert" | "status";
  className?: string;
  children: ReactNode;
  action?: ReactNode;
}

export function InlineNotice({ tone = "info", role, className, children, action }: InlineNoticeProps) {
  const { icon: Icon, className: look } = looks[tone];
  return (
    <div
      data-slot="notice"
      role={role}
      className={cn("flex items-start gap-2.5 rounded-control px-3 py-2 text-base", look, className)}
    >
      <Icon className="mt-[3px] size-4 shrink-0 stroke-[1.75]" aria-hidden />
      <div className="min-w-0 flex-1">{children}</div>
      {action}
    </div>
  );
}
