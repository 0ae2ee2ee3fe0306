// The greeting that fits the local hour.
import type { T } from "@/i18n";

export function greeting(hour: number, t: T): string {
  if (hour >= 5 && hour < 12) return t("dashboard.morning");
  return hour >= 12 && hour < 18 ? t("dashboard.afternoon") : t("dashboard.evening");
}
