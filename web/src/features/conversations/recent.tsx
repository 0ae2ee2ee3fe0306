// The last few conversations, for the dashboard.
export function RecentConversations() {
  return null;
}
