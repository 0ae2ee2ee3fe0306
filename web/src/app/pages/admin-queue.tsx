// What is being read, waits or has failed; which part of a long queue stands in the address.
import { useSearchParams } from "react-router";
import { Queue } from "@/features/governance/queue";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";
import { Page } from "@/ui/page";

export function Component() {
  const t = useT();
  const [params, setParams] = useSearchParams();
  const offset = Math.max(0, Number.parseInt(params.get("offset") ?? "0", 10) || 0);
  useTitle(t("queue.title"));
  return (
    <Page width="wide">
      <Queue offset={offset} onOffset={(next) => setParams(next === 0 ? {} : { offset: String(next) })} />
    </Page>
  );
}
