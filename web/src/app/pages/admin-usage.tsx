// Usage, and for administrators the quotas; tab, days and grouping stand in the address.
import { useSearchParams } from "react-router";
import { useSession } from "@/api/session";
import type { UsageGrouping } from "@/api/types";
import { Quotas } from "@/features/governance/quotas";
import { dayBefore } from "@/features/governance/series";
import { GROUPINGS, UsageReport, type UsageView } from "@/features/governance/usage-report";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page, PageHeading } from "@/ui/page";
import { Tabs, TabsContent, TabsList, TabsTrigger } from "@/ui/tabs";

const DAY = /^\d{4}-\d\d-\d\d$/;

export function Component() {
  const t = useT();
  const [params, setParams] = useSearchParams();
  const isAdmin = useSession((state) => state.user?.role === "admin");
  const now = new Date();
  const day = (name: string, fallback: string) => {
    const value = params.get(name) ?? "";
    return DAY.test(value) && !Number.isNaN(Date.parse(value)) ? value : fallback;
  };
  const from = day("from", dayBefore(29, now));
  const to = day("to", dayBefore(0, now));
  const groupBy: UsageGrouping = GROUPINGS.find((each) => each === params.get("by")) ?? "day";
  const tab = isAdmin && params.get("tab") === "quotas" ? "quotas" : "usage";
  useTitle(t(`usagePage.${tab}`));

  const change = (view: Partial<UsageView>) => {
    const next = { from, to, groupBy, ...view };
    setParams({ from: next.from, to: next.to, by: next.groupBy }, { replace: true });
  };
  const report = (
    <UsageReport
      from={from}
      to={to}
      groupBy={groupBy}
      onChange={change}
      onReset={() => setParams({}, { replace: true })}
    />
  );
  return (
    <Page width="wide">
      <PageHeading className="mb-5">{t(`usagePage.${tab}`)}</PageHeading>
      {isAdmin ? (
        <Tabs value={tab} onValueChange={(next) => setParams(next === "quotas" ? { tab: next } : {})}>
          <TabsList aria-label={t("usagePage.tabs")}>
            <TabsTrigger value="usage">{t("usagePage.usage")}</TabsTrigger>
            <TabsTrigger value="quotas">{t("usagePage.quotas")}</TabsTrigger>
          </TabsList>
          <TabsContent value="usage">{report}</TabsContent>
          <TabsContent value="quotas">
            <Quotas />
          </TabsContent>
        </Tabs>
      ) : (
        report
      )}
    </Page>
  );
}
