// Names with their values, in a line that wraps.
interface FactsProps {
  readonly facts: readonly { readonly label: string; readonly value: string }[];
}

export function Facts({ facts }: FactsProps) {
  return (
    <dl data-slot="facts" className="tabular flex flex-wrap gap-x-4 gap-y-0.5 text-sm">
      {facts.map(({ label, value }) => (
        <div key={label} className="flex gap-1.5">
          <dt className="text-muted-foreground">{label}</dt>
          <dd className="font-semibold">
            <bdi>{value}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}
