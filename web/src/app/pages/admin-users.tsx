// Everyone with an account.
import { Users } from "@/features/admin/users";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page } from "@/ui/page";

export function Component() {
  const t = useT();
  useTitle(t("users.title"));
  return (
    <Page width="wide">
      <Users />
    </Page>
  );
}
