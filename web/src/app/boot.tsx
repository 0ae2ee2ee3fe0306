// Finds out who is at the desk before anything is shown, and waits for a server that is not there yet.
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { ApiError } from "@/api/error";
import { endSession, refreshSession } from "@/api/session";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/button";
import { Logo } from "@/ui/logo";

/** Seconds between two tries while the server is away. */
const WAIT = 5;

type State = "asking" | "known" | "unreachable";

/** True when the server told us who is here, or that nobody is; false when it could not be asked. */
async function restoreSession(): Promise<boolean> {
  try {
    await refreshSession();
    return true;
  } catch (error) {
    // Any refusal means: sign in. Only silence and a server that is not ready are worth waiting for.
    const away = error instanceof ApiError && (error.status === 0 || error.status >= 500);
    if (!away) endSession();
    return !away;
  }
}

export function Boot({ children }: { children: ReactNode }) {
  const [state, setState] = useState<State>("asking");
  const ask = useCallback(() => {
    setState("asking");
    void restoreSession().then((known) => setState(known ? "known" : "unreachable"));
  }, []);
  useEffect(ask, [ask]);
  if (state === "known") return children;
  if (state === "unreachable") return <ServerAway onTry={ask} />;
  return <main className="min-h-dvh" aria-busy="true" />;
}

function ServerAway({ onTry }: { onTry: () => void }) {
  const t = useT();
  const [left, setLeft] = useState(WAIT);
  useTitle(t("server.title"));
  useEffect(() => {
    if (left === 0) {
      onTry();
      return;
    }
    const timer = setTimeout(() => setLeft(left - 1), 1_000);
    return () => clearTimeout(timer);
  }, [left, onTry]);
  return (
    <main className="grid min-h-dvh place-items-center px-5">
      <div className="flex flex-col items-center text-center">
        <Logo className="size-10" />
        <h1 className="mt-5 font-display text-h2 font-semibold">{t("server.title")}</h1>
        <p className="tabular mt-1 text-muted-foreground">{t("server.body", { count: left })}</p>
        <Button className="mt-5" onClick={onTry}>
          {t("action.tryNow")}
        </Button>
      </div>
    </main>
  );
}
