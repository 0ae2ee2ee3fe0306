// The first account of a fresh server.
import { useEffect, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { errorParts } from "@/api/error";
import { useSetupStatus } from "@/features/session/api";
import { AuthPage } from "@/features/session/auth-page";
import { SetupForm } from "@/features/session/setup-form";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { ErrorState } from "@/ui/states";
import { paths } from "../paths";

export function Component() {
  const t = useT();
  const status = useSetupStatus();
  const [params, setParams] = useSearchParams();
  const [token] = useState(() => params.get("token") ?? "");
  useEffect(() => {
    // The token is a secret: it leaves the address bar, and with it the history.
    if (params.has("token")) setParams({}, { replace: true });
  }, [params, setParams]);
  const open = status.data?.needed;
  return (
    <AuthPage
      title={t("setup.title")}
      heading={t("setup.heading")}
      intro={open === false ? t("setup.done") : t("setup.intro")}
    >
      {status.isError && (
        <ErrorState
          className="px-0 py-6"
          title={t("error.couldNotLoad", { things: t("setup.things") })}
          {...errorParts(status.error, t)}
          onRetry={() => void status.refetch()}
        />
      )}
      {open === true && <SetupForm token={token} />}
      {open === false && (
        <Button asChild variant="primary">
          <Link to={paths.login}>{t("setup.toLogin")}</Link>
        </Button>
      )}
    </AuthPage>
  );
}
