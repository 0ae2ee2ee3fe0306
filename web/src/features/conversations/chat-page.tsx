// The chat: a conversation with one assistant, or the first message of a new one.
import { useParams } from "react-router";
import { useSession } from "@/api/session";
import { ConversationView } from "./conversation-view";
import { NewChat } from "./new-chat";

export default function ChatPage() {
  const { id = "new" } = useParams();
  const userId = useSession((session) => session.user?.id);
  if (userId === undefined) return null;
  return id === "new" ? <NewChat userId={userId} /> : <ConversationView key={id} id={id} userId={userId} />;
}
