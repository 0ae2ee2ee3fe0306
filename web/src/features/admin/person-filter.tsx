// Picks one person by name or email, out of however many there are; the address keeps their id.
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useT } from "@/i18n";
import { useDebounced } from "@/lib/use-debounced";
import { Input } from "@/ui/input";
import { accountQuery, accountsQuery } from "./users-api";

interface PersonFilterProps {
  /** The id of the person, or an empty string for everyone. */
  value: string;
  onChange: (id: string) => void;
}

export function PersonFilter({ value, onChange }: PersonFilterProps) {
  const t = useT();
  const list = useId();
  // Null: nothing was typed since the last choice, the chosen person's email stands in the field.
  const [typed, setTyped] = useState<string | null>(null);
  const search = useDebounced((typed ?? "").trim(), 200);
  const chosen = useQuery({ ...accountQuery(value), enabled: value !== "", retry: false, staleTime: 30_000 });
  const found = useQuery(accountsQuery({ search: search.slice(0, 100), role: "", isActive: "", limit: 20, offset: 0 }));
  const people = found.data?.users ?? [];
  const shown = typed ?? (value === "" ? "" : (chosen.data?.email ?? value));

  const type = (text: string) => {
    const person = people.find((each) => each.email === text.trim());
    if (person !== undefined || text.trim() === "") {
      setTyped(null);
      onChange(person?.id ?? "");
    } else setTyped(text);
  };
  return (
    <>
      <Input
        aria-label={t("audit.person")}
        placeholder={t("audit.anyPerson")}
        type="search"
        dir="auto"
        autoComplete="off"
        list={list}
        value={shown}
        onChange={(event) => type(event.target.value)}
        // What names nobody filters nothing.
        onBlur={() => setTyped(null)}
      />
      <datalist id={list}>
        {people.map((person) => (
          <option key={person.id} value={person.email}>
            {person.name}
          </option>
        ))}
      </datalist>
    </>
  );
}
