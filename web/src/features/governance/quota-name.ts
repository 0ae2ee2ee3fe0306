// Whom a quota is for, in words.
import type { Quota, Role } from "@/api/types";
import { useT } from "@/i18n";

export function useSubjectName(): (quota: Pick<Quota, "scope" | "scope_id" | "scope_name">) => string {
  const t = useT();
  return ({ scope, scope_id, scope_name }) => {
    if (scope === "global") return t("quotas.scope.global");
    const name = scope === "role" ? t(`role.${scope_id as Role}`) : (scope_name ?? t("quotas.gone"));
    return t("quotas.for", { scope: t(`quotas.scope.${scope}`), name });
  };
}
