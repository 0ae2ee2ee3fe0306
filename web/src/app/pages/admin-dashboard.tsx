// The administrator's dashboard; how far it looks back stands in the address.
import { useSearchParams } from "react-router";
import { AdminDashboard, Updated } from "@/features/governance/admin-dashboard";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/button";
import { Page, PageHeading } from "@/ui/page";

const SPANS = [7, 30, 90] as const;

export function Component() {
  const t = useT();
  const [params, setParams] = useSearchParams();
  const days = SPANS.find((span) => String(span) === params.get("days")) ?? 30;
  useTitle(t("overview.title"));
  return (
    <Page width="wide">
      <div className="mb-5 flex flex-wrap items-center justify-between gap-3">
        <PageHeading>{t("overview.title")}</PageHeading>
        <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
          <fieldset className="flex gap-1">
            <legend className="sr-only">{t("overview.span")}</legend>
            {SPANS.map((span) => (
              <Button
                key={span}
                size="sm"
                aria-pressed={span === days}
                onClick={() => setParams({ days: String(span) }, { replace: true })}
              >
                {t("overview.days", { count: span })}
              </Button>
            ))}
          </fieldset>
          <Updated />
        </div>
      </div>
      <AdminDashboard days={days} />
    </Page>
  );
}
