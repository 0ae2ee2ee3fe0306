// What the server remembers of a provider's last failure, as the words for it.

const PROBLEMS = ["unauthorized", "unreachable", "error"] as const;

export function keyProblem(lastError: string): `keys.${(typeof PROBLEMS)[number]}` | "keys.lastFailed" {
  const known = PROBLEMS.find((each) => each === lastError);
  return known === undefined ? "keys.lastFailed" : `keys.${known}`;
}
