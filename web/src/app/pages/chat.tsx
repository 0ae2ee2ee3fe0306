// The chat, new or old.
export { default as Component } from "@/features/conversations/chat-page";
