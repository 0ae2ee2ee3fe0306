// The field that filters a list while someone types.
import { Search } from "lucide-react";
import { cn } from "@/lib/cn";
import { Input } from "./input";

interface SearchInputProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  maxLength?: number;
  className?: string;
}

export function SearchInput({ label, value, onChange, maxLength = 200, className }: SearchInputProps) {
  return (
    <div className={cn("relative w-full", className)}>
      <Search
        className="pointer-events-none absolute inset-y-0 start-3 my-auto size-4 stroke-[1.75] text-muted-foreground"
        aria-hidden
      />
      <Input
        type="search"
        dir="auto"
        className="ps-9"
        placeholder={label}
        aria-label={label}
        value={value}
        maxLength={maxLength}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
