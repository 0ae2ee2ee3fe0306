// Puts the server's complaints about single fields under those fields.
import type { FieldValues, Path, UseFormReturn } from "react-hook-form";
import { ApiError } from "./error";

/**
 * Shows each of the error's `details` at its field and focuses the first. False when none of them names a field of
 * this form: the error then needs a place of its own.
 */
export function applyDetails<V extends FieldValues>(
  form: Pick<UseFormReturn<V>, "setError" | "getValues">,
  error: unknown,
): boolean {
  if (!(error instanceof ApiError)) return false;
  const known = new Set(Object.keys(form.getValues()));
  let first = true;
  for (const { field, message } of error.details) {
    if (field === undefined || message === undefined || !known.has(field)) continue;
    form.setError(field as Path<V>, { type: "server", message }, { shouldFocus: first });
    first = false;
  }
  return !first;
}
