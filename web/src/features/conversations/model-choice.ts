// Which model answers in which chat, and which were chosen last: kept in this browser per person (ui rules R18, R26).
import { create } from "zustand";
import { useSession } from "@/api/session";
import { userKey } from "@/lib/user-storage";

const NAME = "models";
const MAX_PLACES = 50;
const MAX_RECENT = 5;

interface Choices {
  /** By place: a chat, or a new chat with some assistant. An absent one means the assistant's default. */
  readonly places: Readonly<Record<string, string>>;
  /** The last chosen models, newest first. */
  readonly recent: readonly string[];
}

const NONE: Choices = { places: {}, recent: [] };

export const useModelChoices = create<Choices>(() => NONE);

let owner: string | undefined;

function takeOwner(userId: string | undefined): void {
  if (userId === owner) return;
  owner = userId;
  useModelChoices.setState(userId === undefined ? NONE : read(userId), true);
}

takeOwner(useSession.getState().user?.id);
useSession.subscribe((session) => takeOwner(session.user?.id));

function read(userId: string): Choices {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(userKey(userId, NAME)) ?? "{}");
    return { ...NONE, ...(stored as Partial<Choices>) };
  } catch {
    return NONE;
  }
}

export function chosenModel(place: string): string | undefined {
  return useModelChoices.getState().places[place];
}

/** Sets the model of a place; undefined goes back to the assistant's default. */
export function chooseModel(place: string, model: string | undefined): void {
  const { places, recent } = useModelChoices.getState();
  const { [place]: _, ...others } = places;
  const kept = Object.entries(others).slice(-(MAX_PLACES - 1));
  keep({ recent, places: Object.fromEntries(model === undefined ? kept : [...kept, [place, model]]) });
}

/** Remembers that somebody picked this model, for this chat or for one answer. */
export function rememberModel(model: string): void {
  const { places, recent } = useModelChoices.getState();
  keep({ places, recent: [model, ...recent.filter((one) => one !== model)].slice(0, MAX_RECENT) });
}

function keep(choices: Choices): void {
  useModelChoices.setState(choices, true);
  if (owner === undefined) return;
  try {
    localStorage.setItem(userKey(owner, NAME), JSON.stringify(choices));
  } catch {
    // The browser's storage is full or shut: the choice holds until the page is closed.
  }
}
