// What is kept in this browser for one person carries their id in its name, so that signing out can remove all of it.

/** The storage name of something that belongs to one person. */
export function userKey(userId: string, name: string): string {
  return `ai-across:${userId}:${name}`;
}

/** Removes everything stored for this person: the next one at this desk must not see it. */
export function clearUserStorage(userId: string): void {
  for (const storage of [localStorage, sessionStorage]) {
    for (const key of Object.keys(storage)) {
      if (key.includes(userId)) storage.removeItem(key);
    }
  }
}
