// The chat: a conversation with one assistant, or the first message of a new one.
export default function ChatPage() {
  return <h1>Chat</h1>;
}
