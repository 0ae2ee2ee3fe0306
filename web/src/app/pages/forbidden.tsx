// A page that exists but is not for this person's role.
import { useNavigate } from "react-router";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/button";
import { Page, PageHeading } from "@/ui/page";

export function Forbidden() {
  const t = useT();
  const navigate = useNavigate();
  useTitle(t("forbidden.title"));
  return (
    <Page width="form">
      <div className="py-[12vh]">
        <PageHeading>{t("forbidden.title")}</PageHeading>
        <p className="mt-2 text-muted-foreground">{t("forbidden.body")}</p>
        <Button className="mt-6" onClick={() => void navigate(-1)}>
          {t("action.back")}
        </Button>
      </div>
    </Page>
  );
}
