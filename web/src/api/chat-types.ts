// Messages and conversations exactly as the server sends them.
import type * as Base from "./types";

/** Why an answer failed: the name of the kind, and a sentence for people. */
export interface MessageError {
  readonly error: string;
  readonly message: string;
}

export type Message = Omit<Base.Message, "error"> & { error: MessageError | null };

export interface MessageList {
  messages: Message[];
  total: number;
}

export type Conversation = Base.Conversation & {
  /** Its assistant was removed: it can be read, nothing more can be asked. */
  assistant_deleted?: boolean;
};

export interface ConversationList {
  conversations: Conversation[];
  total: number;
}
