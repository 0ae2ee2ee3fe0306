// The person at the foot of the sidebar: who they are, how the app looks, and the way out.
import { ChevronsUpDown, LogOut } from "lucide-react";
import { useSession } from "@/api/session";
import { applyLanguage, LANGUAGES, type Language, useI18n } from "@/i18n";
import { type Theme, useUi } from "@/lib/ui-store";
import { Avatar } from "@/ui/badge";
import { Menu, MenuChoice, MenuContent, MenuItem, MenuLabel, MenuSeparator, MenuTrigger } from "@/ui/menu";
import { toast } from "@/ui/toast";
import { useSignOut } from "./api";

/** Each language by its own name: whoever needs it can read that. */
const languageNames: Record<Language, string> = { en: "English", he: "עברית" };

async function chooseLanguage(language: Language): Promise<void> {
  await applyLanguage(language);
  useUi.setState({ language });
}

export function AccountMenu() {
  const { t, language } = useI18n();
  const user = useSession((state) => state.user);
  const theme = useUi((state) => state.theme);
  const signOut = useSignOut();
  if (user === null) return null;
  const themes: { value: Theme; label: string }[] = [
    { value: "system", label: t("user.theme.system") },
    { value: "light", label: t("user.theme.light") },
    { value: "dark", label: t("user.theme.dark") },
  ];
  return (
    <Menu>
      <MenuTrigger>
        <button
          type="button"
          className="flex w-full items-center gap-2.5 rounded-control p-1.5 text-start transition-colors duration-120 hoverable:hover:bg-accent/70 aria-expanded:bg-accent"
        >
          <span className="sr-only">{t("user.menu")}: </span>
          <Avatar name={user.name} size="sm" />
          <span className="min-w-0 flex-1">
            <span className="block truncate font-semibold">
              <bdi>{user.name}</bdi>
            </span>
            <span className="block truncate text-sm text-muted-foreground">{t(`role.${user.role}`)}</span>
          </span>
          <ChevronsUpDown className="size-4 shrink-0 stroke-[1.75] text-muted-foreground" aria-hidden />
        </button>
      </MenuTrigger>
      <MenuContent side="top" align="start" className="w-60">
        <p className="truncate px-2 pt-1 pb-1.5 text-sm text-muted-foreground">
          <bdi>{user.email}</bdi>
        </p>
        <MenuSeparator />
        <MenuLabel>{t("user.theme")}</MenuLabel>
        <MenuChoice
          label={t("user.theme")}
          value={theme}
          options={themes}
          onChange={(next) => useUi.setState({ theme: next })}
        />
        <MenuSeparator />
        <MenuLabel>{t("user.language")}</MenuLabel>
        <MenuChoice
          label={t("user.language")}
          value={language}
          options={LANGUAGES.map((value) => ({
            value,
            label: <span lang={value}>{languageNames[value]}</span>,
          }))}
          onChange={(next) => void chooseLanguage(next)}
        />
        <MenuSeparator />
        <MenuItem
          onSelect={() => signOut.mutate(undefined, { onError: () => toast({ text: t("user.signOutFailed") }) })}
        >
          <LogOut className="mirror-rtl" aria-hidden />
          {t("user.signOut")}
        </MenuItem>
      </MenuContent>
    </Menu>
  );
}
