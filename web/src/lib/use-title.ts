// Names the tab.
import { useEffect } from "react";
import { useAppName } from "./app-name";

/** Sets “<title> · <name of the installation>” as the document's title. */
export function useTitle(title: string): void {
  const name = useAppName((state) => state.name);
  useEffect(() => {
    document.title = title === "" ? name : `${title} · ${name}`;
  }, [title, name]);
}
