// The person's conversations, newest first, for the sidebar.
export function ConversationList() {
  return <nav aria-label="Chats" />;
}
