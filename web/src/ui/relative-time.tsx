// How long ago, kept up to date; the exact moment, also in UTC, is in its tooltip.
import { useEffect, useState } from "react";
import { formatAgo, formatDateTime, formatUtc } from "@/lib/format";

export function RelativeTime({ iso, className }: { iso: string; className?: string }) {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), 60_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <time dateTime={iso} title={`${formatDateTime(iso)} · ${formatUtc(iso)}`} className={className}>
      {formatAgo(iso, now)}
    </time>
  );
}
