// Reads the two sides of an audit entry as single changes of fields.
import type { AuditEntry, AuditValues } from "@/api/types";
import type { T } from "@/i18n";

export interface FieldChange {
  readonly field: string;
  /** Null where the entry has no value on that side: the object was made, or is gone. */
  readonly was: string | null;
  readonly now: string | null;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function side(values: AuditValues | null, field: string): string | null {
  if (values === null || !(field in values)) return null;
  const value = values[field];
  return value === null || value === undefined || value === "" ? null : text(value);
}

/** In the order in which the server names the fields; without those that are empty on both sides. */
export function fieldChanges({ old_values: before, new_values: after }: AuditEntry): FieldChange[] {
  const fields = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...fields]
    .map((field) => ({ field, was: side(before, field), now: side(after, field) }))
    .filter(({ was, now }) => was !== null || now !== null);
}

const NAMES = ["name", "title", "filename", "email", "scope_name", "key"];

/**
 * What the entry calls its object: a name among its values, the person where they acted on themselves, else its kind
 * with the end of its id. Ids begin with the time they were made, so their beginnings are alike.
 */
export function objectName({ old_values, new_values, ...entry }: AuditEntry): string {
  for (const field of NAMES) {
    const value = new_values?.[field] ?? old_values?.[field];
    if (typeof value === "string" && value !== "" && value !== "[redacted]") return value;
  }
  const { actor_id, actor_email, resource_type, resource_id } = entry;
  if (resource_id === null) return resource_type;
  if (resource_id === actor_id && actor_email !== null) return actor_email;
  return `${resource_type} …${resource_id.slice(-6)}`;
}

/** The e-mail of who did it; the server's own deeds have no person. */
export function actorName({ actor_id, actor_email }: AuditEntry, t: T): string {
  if (actor_id === null && (actor_email === null || actor_email === "system")) return t("audit.system");
  return actor_email ?? t("audit.removed");
}
