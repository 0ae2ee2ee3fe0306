// Counts down the seconds after which a refused message may be sent again.
import { useEffect, useState } from "react";
import type { Refusal } from "./streams";

/** Seconds until another try makes sense; the send button waits with it. */
export function useSecondsLeft(refusal: Refusal | undefined): number {
  const seconds = refusal?.error.code === "RateLimitError" ? (refusal.error.retryAfter ?? 0) : 0;
  const [, tick] = useState(0);
  const left = seconds === 0 ? 0 : Math.max(0, Math.ceil(((refusal?.at ?? 0) + seconds * 1000 - Date.now()) / 1000));
  useEffect(() => {
    if (left === 0) return;
    const timer = setTimeout(() => tick((count) => count + 1), 1000);
    return () => clearTimeout(timer);
  });
  return left;
}
