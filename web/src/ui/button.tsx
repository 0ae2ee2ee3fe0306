// Buttons, and links that look like buttons.
import { cva, type VariantProps } from "class-variance-authority";
import { LoaderCircle } from "lucide-react";
import { Slot } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export const buttonStyle = cva(
  "inline-flex shrink-0 select-none items-center justify-center gap-2 rounded-control font-semibold whitespace-nowrap transition-colors duration-120 disabled:opacity-55 aria-disabled:opacity-55 [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:stroke-[1.75]",
  {
    variants: {
      variant: {
        primary: "bg-primary text-primary-foreground hoverable:hover:bg-primary/88 active:bg-primary/80",
        secondary:
          "border border-input bg-surface text-foreground hoverable:hover:bg-muted active:bg-accent aria-pressed:bg-accent",
        ghost: "text-foreground hoverable:hover:bg-muted active:bg-accent aria-expanded:bg-muted",
        danger: "bg-destructive text-destructive-foreground hoverable:hover:bg-destructive/88",
        link: "text-primary-text underline decoration-primary-text/40 underline-offset-3 hoverable:hover:decoration-current",
      },
      size: {
        sm: "h-8 px-2.5 text-md coarse:h-11",
        md: "h-9 px-3.5 text-base coarse:h-11",
        icon: "size-9 coarse:size-11",
        "icon-sm": "size-8 coarse:size-11",
        inline: "rounded-mark p-0 text-[length:inherit]",
      },
    },
    defaultVariants: { variant: "secondary", size: "md" },
  },
);

type ButtonProps = ComponentProps<"button"> &
  VariantProps<typeof buttonStyle> & {
    /** Renders the only child (a link) with the button's look. */
    asChild?: boolean;
    /** Shows a spinner in place of the label, keeps the width, and ignores clicks. */
    pending?: boolean;
  };

export function Button({
  variant,
  size,
  asChild = false,
  pending = false,
  className,
  children,
  onClick,
  type = "button",
  ...props
}: ButtonProps) {
  const look = cn(buttonStyle({ variant, size }), className);
  if (asChild) {
    return (
      <Slot.Root data-slot="button" className={look} {...props}>
        {children}
      </Slot.Root>
    );
  }
  return (
    <button
      data-slot="button"
      type={type}
      className={cn(look, pending && "relative")}
      // Stays focusable while pending: a disabled button would drop the keyboard's place.
      aria-disabled={pending || undefined}
      aria-busy={pending || undefined}
      onClick={pending ? (event) => event.preventDefault() : onClick}
      {...props}
    >
      {pending ? (
        <>
          <span className="inline-flex items-center gap-2 opacity-0">{children}</span>
          <LoaderCircle className="absolute animate-spin" aria-hidden />
        </>
      ) : (
        children
      )}
    </button>
  );
}
