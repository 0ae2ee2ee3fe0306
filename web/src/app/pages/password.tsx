// Shown in place of everything else to those whose password was chosen by an administrator.

import { forget } from "@/features/session/api";
import { AuthPage } from "@/features/session/auth-page";
import { PasswordForm } from "@/features/session/password-form";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";

export default function PasswordPage() {
  const t = useT();
  return (
    <AuthPage title={t("password.title")} heading={t("password.heading")} intro={t("password.intro")}>
      <PasswordForm />
      <Button variant="link" size="inline" className="mt-6" onClick={forget}>
        {t("expired.other")}
      </Button>
    </AuthPage>
  );
}
