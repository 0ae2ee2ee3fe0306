// The page of a person who has to choose a new password before anything else.
import { Navigate, useSearchParams } from "react-router";
import { useSession } from "@/api/session";
import { useSignOut } from "@/features/session/api";
import { AuthPage } from "@/features/session/auth-page";
import { PasswordForm } from "@/features/session/password-form";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { InlineNotice } from "@/ui/notice";
import { toast } from "@/ui/toast";
import { safeNext } from "../paths";

export function Component() {
  const t = useT();
  const user = useSession((state) => state.user);
  const [params] = useSearchParams();
  const signOut = useSignOut();
  if (user === null) return null;
  if (!user.must_change_password) return <Navigate to={safeNext(params.get("next"))} replace />;
  return (
    <AuthPage title={t("password.title")} heading={t("password.dueHeading")} intro={t("password.dueIntro")}>
      <PasswordForm email={user.email} onChanged={() => toast({ text: t("password.changed") })} />
      {signOut.isError && (
        <InlineNotice tone="error" role="alert" className="mt-4">
          {t("user.signOutFailed")}
        </InlineNotice>
      )}
      <Button variant="link" size="inline" className="mt-6 min-h-6" onClick={() => signOut.mutate("here")}>
        {t("expired.other")}
      </Button>
    </AuthPage>
  );
}
