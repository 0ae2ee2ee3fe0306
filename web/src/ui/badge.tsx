// A state in a word, and a person's or assistant's face.
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

const tones = {
  neutral: "bg-muted text-muted-foreground",
  success: "bg-success-surface text-success",
  warning: "bg-warning-surface text-warning",
  danger: "bg-destructive-surface text-destructive",
} as const;

export function Badge({ tone = "neutral", children }: { tone?: keyof typeof tones; children: ReactNode }) {
  return (
    <span
      data-slot="badge"
      className={cn("inline-flex items-center gap-1 rounded-full px-2 py-0.5 text-sm font-semibold", tones[tone])}
    >
      {children}
    </span>
  );
}

const chart = ["bg-chart-1", "bg-chart-2", "bg-chart-3", "bg-chart-4", "bg-chart-5", "bg-chart-6"];

/** First letters of the first and last word. */
export function initials(name: string): string {
  const words = name.split(/[\s\-/]+/u).filter((word) => /\p{L}|\p{N}/u.test(word));
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) =>
    word === undefined ? "" : (Array.from(word.replace(/^[^\p{L}\p{N}]+/u, ""))[0] ?? ""),
  );
  return letters.join("").toLocaleUpperCase();
}

/** The same name has the same colour on every page. */
function colour(name: string): string {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return chart[hash % chart.length] ?? "bg-chart-1";
}

const sizes = { sm: "size-7 text-xs", md: "size-9 text-sm", lg: "size-12 text-lg" } as const;

interface AvatarProps {
  name: string;
  src?: string | null;
  size?: keyof typeof sizes;
}

export function Avatar({ name, src, size = "md" }: AvatarProps) {
  if (src) {
    return (
      <img data-slot="avatar" src={src} alt="" className={cn("shrink-0 rounded-full object-cover", sizes[size])} />
    );
  }
  return (
    <span
      data-slot="avatar"
      aria-hidden
      className={cn(
        "relative grid shrink-0 place-items-center overflow-hidden rounded-full bg-surface font-bold tracking-wide",
        sizes[size],
      )}
    >
      <span className={cn("absolute inset-0 opacity-18", colour(name))} />
      <span className="relative">{initials(name)}</span>
    </span>
  );
}
