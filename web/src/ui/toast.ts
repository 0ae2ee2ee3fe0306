// Short notices that pass by: `toast({ text })` from anywhere. What shows them is loaded apart (toaster.tsx).
import { create } from "zustand";

export interface ToastOptions {
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
  /** Milliseconds; 5 s, or 8 s with an action, unless said otherwise. */
  readonly duration?: number;
  /** Runs once when the toast goes away for any reason but its action. */
  readonly onClose?: () => void;
}

/** A notice on the screen. */
export interface Shown extends ToastOptions {
  readonly id: number;
}

export const useToasts = create<{ shown: readonly Shown[] }>(() => ({ shown: [] }));
let next = 0;

/** Shows a notice; the returned function takes it away. */
export function toast(options: ToastOptions): () => void {
  next += 1;
  const id = next;
  useToasts.setState((state) => ({ shown: [...state.shown.slice(-2), { ...options, id }] }));
  return () => removeToast(id);
}

export function removeToast(id: number): void {
  useToasts.setState((state) => ({ shown: state.shown.filter((each) => each.id !== id) }));
}
