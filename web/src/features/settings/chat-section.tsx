// How writing and reading work in this browser.
import { useSession } from "@/api/session";
import type { Assistant } from "@/api/types";
import { useT } from "@/i18n";
import { useUi } from "@/lib/ui-store";
import { Field } from "@/ui/field";
import { NativeSelect } from "@/ui/input";
import { RadioGroup } from "@/ui/radio-group";
import { Switch } from "@/ui/switch";

interface ChatSectionProps {
  /** Undefined while they load; then the choice cannot be made yet. */
  assistants: readonly Assistant[] | undefined;
}

export function ChatSection({ assistants }: ChatSectionProps) {
  const t = useT();
  const { enterKey, followMode, showCost, copySources, singleKeys, defaultAssistants } = useUi();
  const userId = useSession((state) => state.user?.id) ?? "";
  const chosen = defaultAssistants[userId] ?? "";
  const isGone = chosen !== "" && assistants !== undefined && !assistants.some((one) => one.id === chosen);
  const choose = (id: string) => {
    const { [userId]: _, ...others } = defaultAssistants;
    useUi.setState({ defaultAssistants: id === "" ? others : { ...others, [userId]: id } });
  };
  return (
    <div className="flex flex-col gap-7">
      <RadioGroup
        label={t("chatSettings.enter")}
        hint={t("chatSettings.enterHint")}
        value={enterKey}
        options={[
          { value: "sends", label: t("chatSettings.enterSends") },
          { value: "newline", label: t("chatSettings.enterNewline") },
        ]}
        onChange={(next) => useUi.setState({ enterKey: next })}
      />
      <RadioGroup
        label={t("chatSettings.follow")}
        value={followMode}
        options={[
          { value: "end", label: t("chatSettings.followEnd") },
          { value: "top", label: t("chatSettings.followTop") },
        ]}
        onChange={(next) => useUi.setState({ followMode: next })}
      />
      <Field label={t("chatSettings.assistant")} hint={t("chatSettings.assistantHint")} className="max-w-80">
        {(control) => (
          <NativeSelect
            {...control}
            disabled={assistants === undefined}
            value={isGone ? "" : chosen}
            onChange={(event) => choose(event.target.value)}
          >
            <option value="">{t("chatSettings.assistantFirst")}</option>
            {assistants?.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
          </NativeSelect>
        )}
      </Field>
      <Switch
        label={t("chatSettings.cost")}
        hint={t("chatSettings.costHint")}
        checked={showCost}
        onChange={(event) => useUi.setState({ showCost: event.target.checked })}
      />
      <Switch
        label={t("chatSettings.copySources")}
        hint={t("chatSettings.copySourcesHint")}
        checked={copySources}
        onChange={(event) => useUi.setState({ copySources: event.target.checked })}
      />
      <Switch
        label={t("chatSettings.singleKeys")}
        hint={t("chatSettings.singleKeysHint")}
        checked={singleKeys}
        onChange={(event) => useUi.setState({ singleKeys: event.target.checked })}
      />
    </div>
  );
}
