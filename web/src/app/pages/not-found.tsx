// An address without a page.
import { Link } from "react-router";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/button";
import { Page, PageHeading } from "@/ui/page";
import { paths } from "../paths";

export function NotFound() {
  const t = useT();
  useTitle(t("notFound.title"));
  return (
    <Page width="form">
      <div className="py-[12vh]">
        <PageHeading>{t("notFound.title")}</PageHeading>
        <p className="mt-2 text-muted-foreground">{t("notFound.body")}</p>
        <Button asChild variant="primary" className="mt-6">
          <Link to={paths.dashboard}>{t("notFound.back")}</Link>
        </Button>
      </div>
    </Page>
  );
}

export const Component = NotFound;
