// Joins class names; a later utility replaces an earlier one of the same kind.
import { type ClassValue, clsx } from "clsx";
import { extendTailwindMerge } from "tailwind-merge";

// Our own names must be known, else `text-h1 text-primary` would count as two colours.
const merge = extendTailwindMerge({
  extend: {
    theme: {
      text: ["xs", "sm", "md", "base", "lg", "chat", "h3", "h2", "h1"],
      radius: ["mark", "control", "card", "panel"],
      shadow: ["float"],
    },
  },
});

export function cn(...classes: ClassValue[]): string {
  return merge(clsx(classes));
}
