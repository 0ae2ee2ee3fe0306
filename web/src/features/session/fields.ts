// The rules of the sign-in forms, as the server has them, with the sentences shown when they are broken.
import * as z from "zod/mini";
import type { T } from "@/i18n";

/** The least a server can be set to ask for; one that asks for more says so itself. */
const PASSWORD_MIN = 8;

export function emailField(t: T) {
  return z
    .string()
    .check(
      z.trim(),
      z.minLength(1, t("invalid.required")),
      z.maxLength(254, t("invalid.long", { max: 254 })),
      z.regex(/^[^\s@]+@[^\s@]+$/u, t("invalid.email")),
    );
}

/** A password that already exists: only its presence can be judged here. */
export function passwordField(t: T) {
  return z.string().check(z.minLength(1, t("invalid.required")), z.maxLength(128, t("invalid.long", { max: 128 })));
}

export function newPasswordField(t: T) {
  return z
    .string()
    .check(
      z.minLength(1, t("invalid.required")),
      z.minLength(PASSWORD_MIN, t("invalid.short", { min: PASSWORD_MIN })),
      z.maxLength(128, t("invalid.long", { max: 128 })),
    );
}

export function personNameField(t: T) {
  return z
    .string()
    .check(z.trim(), z.minLength(1, t("invalid.required")), z.maxLength(100, t("invalid.long", { max: 100 })));
}
