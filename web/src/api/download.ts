// Saves what the server sends as a file: fetched with the token, which a plain link could not carry.
import { type Query, request } from "./client";

/** The name the server gives the file, else `fallback`. */
function nameOf(response: Response, fallback: string): string {
  const match = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  return match?.[1] ?? fallback;
}

/** Throws `ApiError` when the server refuses; the file then does not exist. */
export async function download(path: string, query: Query, fallbackName: string): Promise<void> {
  const response = await request("GET", path, { query });
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = nameOf(response, fallbackName);
  document.body.append(link);
  link.click();
  link.remove();
  // The browser has taken the content over by the next turn; until then the address must live.
  setTimeout(() => URL.revokeObjectURL(address), 0);
}
