// English texts of figures and charts of use, which a person's own page and the administrator's pages share.
import type { Catalogue } from "./types";

export const usageEn = {
  "chart.day": "Day",
  "chart.total": "Total",
  "chart.asTable": "View as table",
  "chart.asPicture": "View as chart",
  "chart.chooseDay": "Day to read",
  "chart.other": "Other models",
  "chart.summary": "{what} from {from} to {to}: {total} in all, most on {day} with {most}.",
  "chart.summaryEmpty": "{what} from {from} to {to}: nothing.",
  "usage.costPerDay": "Cost per day",
  "usage.costPerDayByModel": "Cost per day by model",
  "usage.requests": "Requests",
  "usage.tokensIn": "Tokens in",
  "usage.tokensOut": "Tokens out",
  "usage.cost": "Cost",
  "usage.empty": "No entries in this period",
  "usage.last30": "Show last 30 days",
  "usage.loading": "Loading usage",
  "usage.things": "the usage",
} as const satisfies Catalogue;
