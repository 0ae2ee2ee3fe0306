// Every address of the app in one object.
export const paths = {
  dashboard: "/",
  login: "/login",
  setup: "/setup",
  assistants: "/assistants",
  newAssistant: "/assistants/new",
  assistant: (id: string) => `/assistants/${id}`,
  editAssistant: (id: string) => `/assistants/${id}/edit`,
  newChat: "/chat/new",
  password: "/password",
  settings: "/settings",
  admin: "/admin",
  adminUsage: "/admin/usage",
  newChatWith: (assistantId: string) => `/chat/new?assistant=${assistantId}`,
} as const;

/** The page to open after signing in: only one of our own, whatever the address says. */
export function safeNext(next: string | null): string {
  if (next === null || !next.startsWith("/")) return paths.dashboard;
  try {
    const url = new URL(next, window.location.origin);
    return url.origin === window.location.origin ? `${url.pathname}${url.search}${url.hash}` : paths.dashboard;
  } catch {
    return paths.dashboard;
  }
}
