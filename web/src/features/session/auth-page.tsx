// The quiet frame of the pages before the app: the mark, one heading, one form.
import type { ReactNode } from "react";
import { useAppName } from "@/lib/app-name";
import { useTitle } from "@/lib/use-title";
import { Logo } from "@/ui/logo";

interface AuthPageProps {
  title: string;
  heading: string;
  intro?: ReactNode;
  children: ReactNode;
}

export function AuthPage({ title, heading, intro, children }: AuthPageProps) {
  const name = useAppName((state) => state.name);
  useTitle(title);
  return (
    <main className="grid min-h-dvh place-items-center px-5 py-10 sm:pb-[16vh]">
      <div className="w-full max-w-[360px]">
        <p className="flex items-center gap-2.5 font-display text-[1.1875rem] leading-none font-semibold tracking-[-0.01em]">
          <Logo />
          <bdi className="min-w-0 truncate leading-normal">{name}</bdi>
        </p>
        <h1 className="mt-7 font-display text-h1 font-semibold tracking-[-0.01em]">{heading}</h1>
        {intro && <p className="mt-2 text-muted-foreground text-pretty">{intro}</p>}
        <div className="mt-6">{children}</div>
      </div>
    </main>
  );
}
