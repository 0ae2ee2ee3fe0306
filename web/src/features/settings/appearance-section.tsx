// How the app looks in this browser: each choice shows at once and is kept.
import { Minus, Plus } from "lucide-react";
import { applyLanguage, LANGUAGES, type Language, useI18n } from "@/i18n";
import { TEXT_SIZES, useUi } from "@/lib/ui-store";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { NativeSelect } from "@/ui/input";
import { RadioGroup } from "@/ui/radio-group";
import { toast } from "@/ui/toast";

/** Each language by its own name: whoever needs it can read that. */
const languageNames: Record<Language, string> = { en: "English", he: "עברית" };

export function AppearanceSection() {
  const { t, language } = useI18n();
  const { theme, density } = useUi();
  const chooseLanguage = (next: Language) => {
    applyLanguage(next).then(
      () => useUi.setState({ language: next }),
      () => toast({ text: t("error.network") }),
    );
  };
  return (
    <div className="flex flex-col gap-7">
      <RadioGroup
        label={t("user.theme")}
        value={theme}
        options={[
          { value: "system", label: t("user.theme.system") },
          { value: "light", label: t("user.theme.light") },
          { value: "dark", label: t("user.theme.dark") },
        ]}
        onChange={(next) => useUi.setState({ theme: next })}
      />
      <TextSize />
      <Field label={t("user.language")} className="max-w-60">
        {(control) => (
          <NativeSelect
            {...control}
            value={language}
            onChange={(event) => chooseLanguage(event.target.value as Language)}
          >
            {LANGUAGES.map((each) => (
              <option key={each} value={each} lang={each}>
                {languageNames[each]}
              </option>
            ))}
          </NativeSelect>
        )}
      </Field>
      <RadioGroup
        label={t("appearance.density")}
        hint={t("appearance.densityHint")}
        value={density}
        options={[
          { value: "comfortable", label: t("appearance.comfortable") },
          { value: "compact", label: t("appearance.compact") },
        ]}
        onChange={(next) => useUi.setState({ density: next })}
      />
    </div>
  );
}

function TextSize() {
  const { t } = useI18n();
  const size = useUi((state) => state.textSize);
  const smaller = TEXT_SIZES.findLast((each) => each < size);
  const larger = TEXT_SIZES.find((each) => each > size);
  const choose = (next: number | undefined) => next !== undefined && useUi.setState({ textSize: next });
  return (
    <fieldset>
      <legend className="mb-1.5 text-base font-semibold">{t("appearance.textSize")}</legend>
      <div className="flex items-center gap-2">
        {/* Not `disabled` at the ends: the keyboard's place would be lost. */}
        <Button
          size="icon"
          aria-label={t("appearance.smaller")}
          aria-disabled={smaller === undefined || undefined}
          onClick={() => choose(smaller)}
        >
          <Minus aria-hidden />
        </Button>
        <output className="tabular min-w-14 text-center">{t("appearance.percent", { n: size })}</output>
        <Button
          size="icon"
          aria-label={t("appearance.larger")}
          aria-disabled={larger === undefined || undefined}
          onClick={() => choose(larger)}
        >
          <Plus aria-hidden />
        </Button>
      </div>
    </fieldset>
  );
}
