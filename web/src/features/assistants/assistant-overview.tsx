// What an assistant is: its description, its instructions and its settings.
import { useQuery } from "@tanstack/react-query";
import type { Assistant } from "@/api/types";
import { useT } from "@/i18n";
import { formatDateTime, formatNumber, formatWhen } from "@/lib/format";
import { modelListQuery } from "./api";
import { modelName } from "./assistant-card";

export function AssistantOverview({ assistant }: { assistant: Assistant }) {
  const t = useT();
  const models = useQuery(modelListQuery).data?.models ?? [];
  const facts = [
    [t("assistant.model"), <bdi key="m">{modelName(assistant.model, models, t("assistants.defaultModel"))}</bdi>],
    [t("assistant.temperature"), formatNumber(assistant.temperature)],
    [t("assistant.maxTokens"), t("assistant.tokens", { n: assistant.max_tokens })],
    [
      t("assistant.changed"),
      <time key="c" dateTime={assistant.updated_at} title={formatDateTime(assistant.updated_at)}>
        {formatWhen(assistant.updated_at)}
      </time>,
    ],
  ] as const;
  return (
    <div className="grid gap-x-12 gap-y-8 lg:grid-cols-[minmax(0,1fr)_15rem]">
      <div className="flex min-w-0 flex-col gap-7">
        <section>
          <h2 className="text-md font-semibold text-muted-foreground">{t("assistant.description")}</h2>
          <p className="mt-1 max-w-[68ch] text-chat text-pretty" dir="auto">
            {assistant.description || <span className="text-muted-foreground">{t("assistant.noDescription")}</span>}
          </p>
        </section>
        {assistant.instructions !== undefined && (
          <section>
            <h2 className="text-md font-semibold text-muted-foreground">{t("assistant.instructions")}</h2>
            {assistant.instructions === "" ? (
              <p className="mt-1 text-muted-foreground">{t("assistant.noInstructions")}</p>
            ) : (
              <p
                className="mt-2 max-w-[68ch] border-s-2 ps-4 text-lg/7 whitespace-pre-wrap [overflow-wrap:anywhere] [unicode-bidi:plaintext]"
                dir="auto"
              >
                {assistant.instructions}
              </p>
            )}
          </section>
        )}
      </div>
      <dl className="flex h-fit flex-col gap-4 lg:border-s lg:ps-6">
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt className="text-md text-muted-foreground">{label}</dt>
            <dd className="tabular font-semibold">{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
