// Keys that let the server recognise a repeated request: the same content keeps its key, changed content gets a new one.

/** A random UUID; `crypto.randomUUID` exists only on secure origins, and a LAN may have none. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Gives the same key as long as the body stays the same, so that a second click or a retry creates nothing twice. */
export function keyPerBody(): (body: unknown) => string {
  let last = { body: "", key: "" };
  return (body) => {
    const text = JSON.stringify(body);
    if (text !== last.body) last = { body: text, key: newId() };
    return last.key;
  };
}
