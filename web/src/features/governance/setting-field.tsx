// One setting: its control, its default, whether it has been changed, and the way back to the default.
import type { Model, SettingValue } from "@/api/types";
import { type T, useT } from "@/i18n";
import { formatNumber } from "@/lib/format";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { Input, NativeSelect, Textarea } from "@/ui/input";
import { RadioGroup } from "@/ui/radio-group";
import { Checkbox } from "@/ui/switch";
import { FIELDS, type SettingKey } from "./setting-fields";

interface SettingFieldProps {
  name: SettingKey;
  value: SettingValue;
  defaultValue: SettingValue | undefined;
  isChanged: boolean;
  isDefault: boolean;
  problem: string | undefined;
  models: readonly Model[];
  onChange: (value: SettingValue) => void;
}

/** A value in words, for defaults and for comparing versions. */
export function valueText(name: SettingKey, value: SettingValue | undefined, models: readonly Model[], t: T): string {
  const field = FIELDS[name];
  const modelName = (id: string) => models.find((model) => model.id === id)?.name ?? id;
  if (typeof value === "boolean") return t(value ? "system.on" : "system.off");
  if (typeof value === "number") return formatNumber(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return t(field.kind === "models" ? "system.allModels" : "system.none");
    return value.map((each) => (field.kind === "models" ? modelName(each) : each)).join(", ");
  }
  if (typeof value !== "string" || value === "") return t(field.kind === "model" ? field.none : "system.none");
  if (field.kind === "choice") return t(`system.choice.${value as "degrade"}`);
  return field.kind === "model" ? modelName(value) : value;
}

export function SettingField(props: SettingFieldProps) {
  const { name, value, defaultValue, isChanged, isDefault, problem, models, onChange } = props;
  const t = useT();
  const field = FIELDS[name];
  const word = t(`system.${name}`);
  const label = (
    <>
      {word} {isChanged && <span className="ms-1 text-sm font-semibold text-warning">{t("system.changed")}</span>}
    </>
  );
  const isLong = field.kind === "text";
  const hint = (
    <span className="flex flex-wrap items-baseline gap-x-3">
      {defaultValue !== undefined && !isLong && (
        <span className="[overflow-wrap:anywhere]">
          {t("system.default", { value: valueText(name, defaultValue, models, t) })}
        </span>
      )}
      {defaultValue !== undefined && !isDefault && (
        <Button
          variant="link"
          size="inline"
          className="min-h-6"
          aria-label={t("system.resetOne", { name: word })}
          onClick={() => onChange(defaultValue)}
        >
          {t("system.reset")}
        </Button>
      )}
    </span>
  );
  const list = Array.isArray(value) ? (value as readonly string[]) : [];
  const toggle = (each: string, on: boolean) => onChange(on ? [...list, each] : list.filter((one) => one !== each));

  switch (field.kind) {
    case "switch":
      return (
        <Checkbox
          label={label}
          hint={hint}
          checked={value === true}
          onChange={(event) => onChange(event.target.checked)}
        />
      );
    case "choice":
      return (
        <RadioGroup
          label={label}
          hint={hint}
          value={String(value)}
          options={field.options.map((option) => ({ value: option, label: t(`system.choice.${option as "degrade"}`) }))}
          onChange={onChange}
        />
      );
    case "several":
    case "models": {
      const options =
        field.kind === "several"
          ? field.options.map((option) => ({ id: option, name: option.toUpperCase() }))
          : [
              ...models,
              ...list.filter((id) => !models.some((model) => model.id === id)).map((id) => ({ id, name: id })),
            ];
      return (
        <fieldset>
          <legend className="mb-1 text-base font-semibold">{label}</legend>
          {field.kind === "models" && <p className="text-md text-muted-foreground">{t("system.modelsHint")}</p>}
          <div className="flex max-h-60 flex-wrap gap-x-5 overflow-y-auto">
            {options.map((option) => (
              <Checkbox
                key={option.id}
                label={<bdi>{option.name}</bdi>}
                checked={list.includes(option.id)}
                onChange={(event) => toggle(option.id, event.target.checked)}
              />
            ))}
          </div>
          {problem !== undefined && (
            <p role="alert" className="text-md text-destructive">
              {problem}
            </p>
          )}
          <div className="text-md text-muted-foreground">{hint}</div>
        </fieldset>
      );
    }
    case "model":
      return (
        <Field label={label} hint={hint} error={problem}>
          {(control) => (
            <NativeSelect
              {...control}
              value={String(value ?? "")}
              onChange={(event) => onChange(event.target.value || null)}
            >
              <option value="">{t(field.none)}</option>
              {typeof value === "string" && value !== "" && !models.some((model) => model.id === value) && (
                <option value={value}>{value}</option>
              )}
              {models.map((model) => (
                <option key={model.id} value={model.id}>
                  {model.name} · {model.provider}
                </option>
              ))}
            </NativeSelect>
          )}
        </Field>
      );
    case "text":
      return (
        <Field label={label} hint={hint} error={problem}>
          {(control) => (
            <Textarea
              {...control}
              data-setting={name}
              rows={8}
              className="max-h-[60vh]"
              value={String(value ?? "")}
              onChange={(event) => onChange(event.target.value)}
            />
          )}
        </Field>
      );
    default:
      return (
        <Field label={label} hint={hint} error={problem}>
          {(control) => (
            <Input
              {...control}
              data-setting={name}
              autoComplete="off"
              inputMode={field.kind !== "number" ? "text" : field.whole ? "numeric" : "decimal"}
              dir={field.kind === "number" ? "ltr" : "auto"}
              className={field.kind === "number" ? "sm:max-w-40" : undefined}
              value={String(value ?? "")}
              onChange={(event) => onChange(event.target.value)}
            />
          )}
        </Field>
      );
  }
}
