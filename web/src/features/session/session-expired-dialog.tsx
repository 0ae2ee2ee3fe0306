// When the session ends while a page is open, the password is asked in place: nothing written is lost.
import { useSession } from "@/api/session";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { forget } from "./api";
import { LoginForm } from "./login-form";

export default function SessionExpiredDialog() {
  const t = useT();
  const user = useSession((state) => state.user);
  if (user === null) return null;
  return (
    <Dialog
      open
      dismissible={false}
      onOpenChange={() => {}}
      title={t("expired.title")}
      description={
        <>
          {t("expired.body")} <bdi className="block">{user.email}</bdi>
        </>
      }
    >
      <LoginForm only={user} />
      <Button variant="link" size="inline" className="self-center" onClick={forget}>
        {t("expired.other")}
      </Button>
    </Dialog>
  );
}
