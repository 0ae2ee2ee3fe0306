// How the name of a file is shown.

/** Direction marks could make `exe.fdp` read as `pdf.exe`: they are shown, not obeyed. */
export function shownName(name: string): string {
  return name.replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/gu, "\ufffd");
}
