// What this installation is called: the product's own name until the server has told another.
import { create } from "zustand";

export const useAppName = create<{ readonly name: string }>(() => ({ name: "AI-Across" }));
