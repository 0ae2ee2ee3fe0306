// What stands in place of a page that broke; the sidebar around it goes on working.

import { useState } from "react";
import { isRouteErrorResponse, useRouteError } from "react-router";
import { useT } from "@/i18n";
import { copyText } from "@/lib/clipboard";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/button";
import { NotFound } from "./pages/not-found";

function details(error: unknown): string {
  const cause = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
  return [window.location.href, navigator.userAgent, new Date().toISOString(), cause].join("\n");
}

export function Crash() {
  const t = useT();
  const error = useRouteError();
  const [copied, setCopied] = useState("");
  const missing = isRouteErrorResponse(error) && error.status === 404;
  useTitle(missing ? t("notFound.title") : t("crash.title"));
  if (missing) return <NotFound />;
  const copy = async () => setCopied((await copyText(details(error))) ? t("done.copied") : t("done.copyFailed"));
  return (
    <div role="alert" className="grid min-h-[70dvh] place-items-center px-6 text-center">
      <div>
        <h1 className="font-display text-h2 font-semibold">{t("crash.title")}</h1>
        <p className="mt-1 text-muted-foreground">{t("crash.body")}</p>
        <div className="mt-5 flex flex-wrap justify-center gap-2">
          <Button variant="primary" onClick={() => window.location.reload()}>
            {t("action.reload")}
          </Button>
          <Button onClick={() => void copy()}>{t("action.copyDetails")}</Button>
        </div>
        <p role="status" className="mt-3 min-h-6 text-md text-muted-foreground">
          {copied}
        </p>
      </div>
    </div>
  );
}
