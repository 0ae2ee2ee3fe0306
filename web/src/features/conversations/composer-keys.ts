// What a key press in the composer means (ui rules R12, R14, R15, R20). Pure.

export interface KeyPress {
  readonly key: string;
  readonly keyCode: number;
  readonly isComposing: boolean;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

export interface ComposerState {
  /** A finger is the only pointer: Enter then makes a new line, as on every phone. */
  readonly touchOnly: boolean;
  readonly writing: boolean;
  /** Nothing has been typed. */
  readonly empty: boolean;
  /** The person's choice: Enter makes a new line, and only with Ctrl it sends. */
  readonly enterMakesLine: boolean;
}

/** `wait`: the person wants to send, but an answer is being written; `editLast`: to change their last message. */
export type KeyMeaning = "send" | "wait" | "stop" | "editLast" | "none";

export function keyMeaning(press: KeyPress, state: ComposerState): KeyMeaning {
  if (isComposing(press)) return "none";
  if (press.key === "Escape") return state.writing ? "stop" : "none";
  if (press.key === "ArrowUp" && state.empty && !state.writing && !modified(press)) return "editLast";
  if (press.key !== "Enter" || press.shiftKey || press.altKey) return "none";
  const forced = press.ctrlKey || press.metaKey;
  if (!forced && (state.touchOnly || state.enterMakesLine)) return "none";
  return state.writing ? "wait" : "send";
}

function modified({ shiftKey, ctrlKey, metaKey, altKey }: KeyPress): boolean {
  return shiftKey || ctrlKey || metaKey || altKey;
}

/** Whether the key belongs to an input method: Safari tells it only by the code 229, others by the flag or the name. */
export function isComposing(press: Pick<KeyPress, "key" | "keyCode" | "isComposing">): boolean {
  return press.isComposing || press.key === "Process" || press.keyCode === 229;
}

export const TOUCH_ONLY = "(pointer: coarse) and (not (any-pointer: fine))";
