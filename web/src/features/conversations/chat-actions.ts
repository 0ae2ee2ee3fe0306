// What a reader can do with the messages of the open chat; the page provides it to every message.
import { createContext, useContext } from "react";
import type { Message } from "@/api/types";

export interface ChatActions {
  /** An answer is being written, so none can be asked for. */
  readonly busy: boolean;
  /** The assistant is gone: the chat can only be read. */
  readonly readOnly: boolean;
  /** The model that answers unless another one is chosen. */
  readonly defaultModel: string | undefined;
  /** Answers once more, by the model named or by the chat's own: another version of the answer. */
  readonly tryAgain: (message: Message, model?: string) => void;
  /** Goes on with an answer that was cut short. */
  readonly goOn: (message: Message) => void;
  /** Opens a question to be asked in other words. */
  readonly edit: (message: Message) => void;
  /** Opens the words of a message to be changed in place. */
  readonly correct: (message: Message) => void;
  /** Copies the chat up to this message into a new one. */
  readonly fork: (message: Message) => void;
  /** Puts this text into the composer as a quotation. */
  readonly quote: (text: string) => void;
  /** Shows the version before (-1) or after (1) this one. */
  readonly showVersion: (message: Message, step: -1 | 1) => void;
  /** Stops the answer being written. */
  readonly stop: () => void;
  /** Stops the answer being written and has another model write it. */
  readonly switchModel: (model: string) => void;
}

const nothing = () => {};

const NONE: ChatActions = {
  busy: true,
  readOnly: true,
  defaultModel: undefined,
  tryAgain: nothing,
  goOn: nothing,
  edit: nothing,
  correct: nothing,
  fork: nothing,
  quote: nothing,
  showVersion: nothing,
  stop: nothing,
  switchModel: nothing,
};

export const ChatActionsContext = createContext<ChatActions>(NONE);

export function useChatActions(): ChatActions {
  return useContext(ChatActionsContext);
}
