// What the form of an account accepts, with the sentences shown when it does not.
import * as z from "zod/mini";
import type { Account, AccountUpdate } from "@/api/types";
import type { T } from "@/i18n";

export function accountSchema(t: T) {
  return z.object({
    email: z
      .string()
      .check(
        z.trim(),
        z.minLength(1, t("invalid.required")),
        z.maxLength(254, t("invalid.long", { max: 254 })),
        z.regex(/^[^\s@]+@[^\s@]+$/u, t("invalid.email")),
      ),
    name: z
      .string()
      .check(z.trim(), z.minLength(1, t("invalid.required")), z.maxLength(100, t("invalid.long", { max: 100 }))),
    role: z.enum(["user", "manager", "admin"]),
    is_active: z.boolean(),
    must_change_password: z.boolean(),
  });
}

export type AccountValues = z.infer<ReturnType<typeof accountSchema>>;

export function toValues(account: Account | null): AccountValues {
  return {
    email: account?.email ?? "",
    name: account?.name ?? "",
    role: account?.role ?? "user",
    is_active: account?.is_active ?? true,
    must_change_password: account?.must_change_password ?? true,
  };
}

/** Only what differs is sent: what someone else changed in other fields stays theirs. */
export function changes(before: AccountValues, after: AccountValues): AccountUpdate {
  const names = Object.keys(before) as (keyof AccountValues)[];
  return Object.fromEntries(names.filter((name) => before[name] !== after[name]).map((name) => [name, after[name]]));
}
