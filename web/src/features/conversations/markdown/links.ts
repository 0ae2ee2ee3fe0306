// Says which addresses of a model's text may become links; everything else stays text (ui rule R11).

/** An address that is safe to offer as a link. `place` is what a reader should see before clicking. */
export interface SafeLink {
  readonly href: string;
  readonly place: string;
}

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/**
 * The address in the browser's own normal form, or null when it is relative, broken or of another scheme.
 * Reading it with the platform's parser means that tabs, line breaks and letter case in a scheme cannot hide one.
 */
export function safeLink(address: string): SafeLink | null {
  let url: URL;
  try {
    url = new URL(decodeEntities(address));
  } catch {
    return null;
  }
  if (!SCHEMES.has(url.protocol)) return null;
  if (url.protocol === "mailto:") return { href: url.href, place: url.pathname };
  if (url.hostname === "") return null;
  return { href: url.href, place: url.host };
}

const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  copy: "©",
  reg: "®",
  trade: "™",
  mdash: "—",
  ndash: "–",
  hellip: "…",
  laquo: "«",
  raquo: "»",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
  bull: "•",
  middot: "·",
  deg: "°",
  times: "×",
  euro: "€",
  pound: "£",
  rarr: "→",
  larr: "←",
};

/** Replaces the character references people and models use; an unknown one stays as typed. */
export function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(\w{2,8}));/g, (typed, decimal, hex, name) => {
    if (name !== undefined) return NAMED[name] ?? typed;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number.parseInt(decimal, 10);
    const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return isCharacter ? String.fromCodePoint(code) : "\ufffd";
  });
}
