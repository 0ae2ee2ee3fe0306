// A group of settings that saves alone. Only what was changed here is sent; what others change meanwhile shows by itself.
import { type ReactNode, useEffect, useRef, useState } from "react";
import { ApiError, errorSentence } from "@/api/error";
import { queryClient } from "@/api/query";
import type { Model, SettingValue } from "@/api/types";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { ConflictDialog } from "@/ui/conflict-dialog";
import { InlineNotice } from "@/ui/notice";
import { toast } from "@/ui/toast";
import { type SystemSettings, settingsQuery, useSaveSettings } from "./api";
import { SettingField, valueText } from "./setting-field";
import { type Draft, FIELDS, GROUPS, type GroupName, isSame, readField, type SettingKey } from "./setting-fields";

interface SettingsGroupProps {
  name: GroupName;
  settings: SystemSettings;
  models: readonly Model[];
  /** Told whether the group holds changes that are not saved. */
  onDirty: (name: GroupName, isDirty: boolean) => void;
  children?: ReactNode;
}

export function SettingsGroup({ name, settings, models, onDirty, children }: SettingsGroupProps) {
  const t = useT();
  const save = useSaveSettings();
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState<Draft>({});
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({});
  /** What the settings were when the first change was typed: only a later change by others is a conflict. */
  const base = useRef<SystemSettings | null>(null);
  const [theirs, setTheirs] = useState<SystemSettings | null>(null);

  const keys = (GROUPS[name] as readonly SettingKey[]).filter((key) => key in settings.values);
  const contentOf = (key: SettingKey): SettingValue => draft[key] ?? settings.values[key] ?? null;
  const isChanged = (key: SettingKey) =>
    key in draft && !isSame(readField(FIELDS[key], draft[key] ?? null, t).value, settings.values[key]);
  const changed = keys.filter(isChanged);
  const isDirty = changed.length > 0;
  useEffect(() => onDirty(name, isDirty), [name, isDirty, onDirty]);
  if (keys.length === 0) return null;

  const change = (key: SettingKey, value: SettingValue) => {
    base.current ??= settings;
    setDraft((before) => ({ ...before, [key]: value === null && FIELDS[key].kind === "model" ? "" : value }));
    setProblems(({ [key]: _, ...others }) => others);
  };
  const discard = () => {
    base.current = null;
    setDraft({});
    setProblems({});
    save.reset();
  };
  const complain = (found: Readonly<Record<string, string>>) => {
    setProblems(found);
    form.current?.querySelector<HTMLElement>(`[data-setting=${Object.keys(found)[0]}]`)?.focus();
  };

  const send = async (version: string | null) => {
    const found: Record<string, string> = {};
    const changes: Record<string, SettingValue> = {};
    for (const key of changed) {
      const { value, problem } = readField(FIELDS[key], draft[key] ?? null, t);
      if (problem !== null) found[key] = problem;
      // A setting at its default is not stored, so that it follows the default of a later version.
      changes[key] = value === "" || isSame(value, settings.defaults[key]) ? null : value;
    }
    const [size, overlap] = [readNumber("chunk_size"), readNumber("chunk_overlap")];
    if (changed.some((key) => key.startsWith("chunk_")) && overlap > size / 2)
      found.chunk_overlap = t("system.overlap");
    if (Object.keys(found).length > 0) {
      complain(found);
      return;
    }
    if (changed.length === 0) return;
    try {
      await save.mutateAsync({ changes, version });
      discard();
      toast({ text: t("done.saved") });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 412) await compare();
      else if (error.status === 422) complain(fromServer(error));
    }
  };
  const readNumber = (key: SettingKey) => Number(readField(FIELDS[key], contentOf(key), t).value);

  /** Somebody saved meanwhile: a conflict only where they changed what is being changed here. */
  const compare = async () => {
    const now = await queryClient.fetchQuery({ ...settingsQuery, staleTime: 0 }).catch(() => null);
    if (now === null) return;
    const before = base.current;
    base.current = now;
    if (changed.some((key) => !isSame(now.values[key], before?.values[key]))) setTheirs(now);
    else await send(now.version);
  };
  const fromServer = (error: ApiError): Record<string, string> =>
    Object.fromEntries(
      error.details.flatMap(({ field, message }) => {
        const key = field?.split(".").at(-1) ?? "";
        return message !== undefined && (keys as readonly string[]).includes(key) ? [[key, message]] : [];
      }),
    );
  const unplaced =
    save.error !== null &&
    Object.keys(problems).length === 0 &&
    theirs === null &&
    !(save.error instanceof ApiError && save.error.status === 412 && save.isPending);

  return (
    <section aria-labelledby={`settings-${name}`} className="border-t pt-6 first:border-t-0 first:pt-0">
      <h2 id={`settings-${name}`} className="mb-4 font-display text-h3 font-semibold">
        {t(`system.group.${name}`)}
      </h2>
      <form
        ref={form}
        noValidate
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          if (!save.isPending) void send(base.current?.version ?? settings.version);
        }}
      >
        {keys.map((key) => (
          <SettingField
            key={key}
            name={key}
            value={contentOf(key)}
            defaultValue={settings.defaults[key]}
            isChanged={isChanged(key)}
            isDefault={isSame(readField(FIELDS[key], contentOf(key), t).value, settings.defaults[key])}
            problem={problems[key]}
            models={models}
            onChange={(value) => change(key, value)}
          />
        ))}
        {children}
        {unplaced && (
          <InlineNotice tone="error" role="alert">
            {errorSentence(save.error, t)}
          </InlineNotice>
        )}
        <div className="flex flex-wrap justify-end gap-2">
          {isDirty && <Button onClick={discard}>{t("system.discard")}</Button>}
          <Button
            type="submit"
            variant="primary"
            pending={save.isPending}
            aria-label={t("system.saveGroup", { group: t(`system.group.${name}`) })}
          >
            {t("system.save")}
          </Button>
        </div>
      </form>
      {theirs !== null && (
        <ConflictDialog
          fields={changed
            .filter((key) => !isSame(readField(FIELDS[key], draft[key] ?? null, t).value, theirs.values[key]))
            .map((key) => ({
              key,
              label: t(`system.${key}`),
              mine: valueText(key, readField(FIELDS[key], draft[key] ?? null, t).value, models, t),
              theirs: valueText(key, theirs.values[key], models, t),
            }))}
          onKeepMine={() => {
            setTheirs(null);
            void send(theirs.version);
          }}
          onTakeTheirs={() => {
            setTheirs(null);
            discard();
          }}
        />
      )}
    </section>
  );
}
