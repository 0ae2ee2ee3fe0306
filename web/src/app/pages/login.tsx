// Sign-in.
import { Navigate } from "react-router";
import { useSetupStatus } from "@/features/session/api";
import { AuthPage } from "@/features/session/auth-page";
import { LoginForm } from "@/features/session/login-form";
import { useT } from "@/i18n";
import { paths } from "../paths";

export function Component() {
  const t = useT();
  const setup = useSetupStatus();
  // On a fresh server there is nobody who could sign in.
  if (setup.data?.needed) return <Navigate to={paths.setup} replace />;
  return (
    <AuthPage title={t("login.title")} heading={t("login.heading")}>
      <LoginForm />
      <p className="mt-6 text-md text-muted-foreground">{t("login.noAccount")}</p>
    </AuthPage>
  );
}
