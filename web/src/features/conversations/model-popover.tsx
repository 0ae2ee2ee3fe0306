// The list of models with a field that filters it: opens over a button, is used by keyboard alone (ui rule R26).
import { useQuery } from "@tanstack/react-query";
import { Check } from "lucide-react";
import { Fragment, type RefObject, useEffect, useId, useMemo, useRef, useState } from "react";
import type { Model } from "@/api/types";
import { type T, useI18n, useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatMoney } from "@/lib/format";
import { providerName } from "@/lib/provider-name";
import { Popover } from "@/ui/popover";
import { modelsQuery } from "./api";
import { rememberModel, useModelChoices } from "./model-choice";
import { type ModelRow, type ModelSection, modelSections } from "./model-list";

interface ModelPopoverProps {
  /** What it opens over, and where the focus goes back to. */
  readonly anchor: RefObject<HTMLElement | null>;
  readonly label: string;
  /** The assistant's own model. */
  readonly recommended: string | undefined;
  /** The present choice; null is the assistant's default, undefined none. */
  readonly chosen: string | null | undefined;
  /** Whether “the assistant's default” is one of the choices. */
  readonly withDefault: boolean;
  readonly onChoose: (model: string | undefined) => void;
  readonly onClose: () => void;
}

export function ModelPopover(props: ModelPopoverProps) {
  const { anchor, label, recommended, chosen, withDefault, onChoose, onClose } = props;
  const t = useT();
  const id = useId();
  const { data } = useQuery(modelsQuery);
  const recent = useModelChoices((choices) => choices.recent);
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const sections = useMemo(
    () => modelSections(data?.models ?? [], { query, recommended, recent, withDefault }),
    [data, query, recommended, recent, withDefault],
  );
  const rows = sections.flatMap((section) => section.rows);
  const current = rows[Math.min(active, rows.length - 1)];
  const optionId = (row: ModelRow) => `${id}-${row.key}`;

  useEffect(() => {
    list.current?.querySelector("[data-active]")?.scrollIntoView({ block: "nearest" });
  });

  const choose = (row: ModelRow | undefined) => {
    if (row === undefined) return;
    if (row.model !== null) rememberModel(row.model.id);
    onClose();
    onChoose(row.model?.id);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && rows.length > 0) {
      event.preventDefault();
      setActive((Math.min(active, rows.length - 1) + step + rows.length) % rows.length);
    }
    if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      choose(current);
    }
  };
  return (
    <Popover anchor={anchor} label={label} onClose={onClose} className="w-88 p-0">
      <input
        role="combobox"
        aria-expanded
        aria-label={t("models.search")}
        aria-controls={`${id}-list`}
        aria-activedescendant={current === undefined ? undefined : optionId(current)}
        autoComplete="off"
        dir="auto"
        placeholder={t("models.search")}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
        className="h-11 w-full shrink-0 border-b border-border bg-transparent px-3.5 text-lg outline-none"
      />
      <div
        ref={list}
        id={`${id}-list`}
        role="listbox"
        aria-label={t("models.list")}
        className="min-h-0 flex-1 overflow-y-auto overscroll-contain p-1 pb-1.5"
      >
        {sections.map((section, place) => (
          // biome-ignore lint/a11y/useSemanticElements: a group of options, not of fields.
          <div key={section.name + section.provider} role="group" aria-label={headOf(section, t) || undefined}>
            <Head section={section} first={place === 0} />
            {section.rows.map((row) => (
              <Option
                key={row.key}
                id={optionId(row)}
                row={row}
                isActive={row === current}
                isChosen={chosen !== undefined && (row.model?.id ?? null) === chosen}
                isDefault={row.model !== null && row.model.id === recommended}
                onPoint={() => setActive(rows.indexOf(row))}
                onChoose={() => choose(row)}
              />
            ))}
          </div>
        ))}
      </div>
      {rows.length === 0 && (
        <p role="status" className="px-3.5 pt-1 pb-4 text-muted-foreground">
          {t("models.none")}
        </p>
      )}
    </Popover>
  );
}

function headOf({ name, provider }: ModelSection, t: T): string {
  if (name === "default") return "";
  return name === "provider" ? providerName(provider) : t(`models.${name}`);
}

function Head({ section, first }: { readonly section: ModelSection; readonly first: boolean }) {
  const t = useT();
  const head = headOf(section, t);
  if (head === "") return null;
  return (
    <p
      aria-hidden
      className={cn("px-2.5 pt-2.5 pb-0.5 text-sm font-semibold text-muted-foreground", first && "pt-1.5")}
    >
      {head}
    </p>
  );
}

interface OptionProps {
  readonly id: string;
  readonly row: ModelRow;
  readonly isActive: boolean;
  readonly isChosen: boolean;
  readonly isDefault: boolean;
  readonly onPoint: () => void;
  readonly onChoose: () => void;
}

function Option({ id, row, isActive, isChosen, isDefault, onPoint, onChoose }: OptionProps) {
  const t = useT();
  const language = useI18n((state) => state.language);
  const { model } = row;
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field; aria-activedescendant points here.
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field's keys choose.
    <div
      id={id}
      role="option"
      aria-selected={isChosen}
      data-active={isActive || undefined}
      onPointerMove={isActive ? undefined : onPoint}
      onClick={onChoose}
      className={cn(
        "flex min-h-9 cursor-default items-center gap-2 rounded-[6px] px-2.5 py-1 coarse:min-h-11",
        isActive && "bg-muted",
      )}
    >
      <span className="min-w-0 flex-1">
        <span className="block truncate font-semibold">
          <bdi>{model?.name ?? t("chat.modelDefault")}</bdi>
        </span>
        {model !== null && (
          <span className="block text-sm text-muted-foreground">
            {detailsOf(model, isDefault, language, t).map((detail, place) => (
              <Fragment key={detail}>
                {place > 0 && " · "}
                <bdi>{detail}</bdi>
              </Fragment>
            ))}
          </span>
        )}
      </span>
      {isChosen && <Check className="size-4 shrink-0 stroke-2 text-primary-text" aria-hidden />}
    </div>
  );
}

/** What one compares models by; each in its own direction. */
function detailsOf(model: Model, isDefault: boolean, language: string, t: T): string[] {
  const all = [
    isDefault ? t("models.isDefault") : "",
    providerName(model.provider),
    sizeOf(model, language, t),
    priceOf(model, t),
  ];
  return all.filter((detail) => detail !== "");
}

function sizeOf(model: Model, language: string, t: T): string {
  if (!model.context_length) return "";
  const size = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
  return t("models.context", { size: size.format(model.context_length) });
}

function priceOf({ is_price_known, prompt_price, completion_price }: Model, t: T): string {
  if (!is_price_known || prompt_price === null || completion_price === null) return t("models.priceUnknown");
  if (prompt_price === 0 && completion_price === 0) return t("models.free");
  const price = { input: formatMoney(prompt_price, "short"), output: formatMoney(completion_price, "short") };
  return t("models.price", price);
}
