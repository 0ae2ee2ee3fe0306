// Reads the two sides of an audit entry as single changes of fields.
import type { AuditEntry, AuditValues } from "@/api/types";

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

const NAMES = ["name", "title", "filename", "email", "key"];

/** What the entry calls its object: a name among its values, else the start of its id. */
export function objectName({ old_values, new_values, resource_id }: AuditEntry): string | null {
  for (const field of NAMES) {
    const value = new_values?.[field] ?? old_values?.[field];
    if (typeof value === "string" && value !== "" && value !== "[redacted]") return value;
  }
  return resource_id === null ? null : resource_id.slice(0, 8);
}
