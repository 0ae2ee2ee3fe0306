// Hebrew texts of figures and charts of use, which a person's own page and the administrator's pages share.
import type { Translation } from "./types";
import type { usageEn } from "./usage.en";

export const usageHe: Translation<typeof usageEn> = {
  "chart.day": "יום",
  "chart.total": "סך הכול",
  "chart.asTable": "הצגה כטבלה",
  "chart.asPicture": "הצגה כתרשים",
  "chart.chooseDay": "היום שיוקרא",
  "chart.other": "מודלים אחרים",
  "chart.summary": "{what} מ־{from} עד {to}: {total} בסך הכול, הכי הרבה ב{day} עם {most}.",
  "chart.summaryEmpty": "{what} מ־{from} עד {to}: אין נתונים.",
  "usage.costPerDay": "עלות ליום",
  "usage.costPerDayByModel": "עלות ליום לפי מודל",
  "usage.requests": "בקשות",
  "usage.tokensIn": "טוקנים נכנסים",
  "usage.tokensOut": "טוקנים יוצאים",
  "usage.cost": "עלות",
  "usage.empty": "אין רשומות בתקופה הזאת",
  "usage.last30": "הצגת 30 הימים האחרונים",
  "usage.loading": "טעינת השימוש",
  "usage.things": "השימוש",
};
