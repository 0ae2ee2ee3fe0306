// The person at the foot of the sidebar: who they are, their settings, and the way out.
import { ChartNoAxesColumn, ChevronsUpDown, LogOut, Settings } from "lucide-react";
import { useNavigate } from "react-router";
import { useSession } from "@/api/session";
import { useT } from "@/i18n";
import { Avatar } from "@/ui/badge";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/ui/menu";
import { toast } from "@/ui/toast";
import { useSignOut } from "./api";

export function AccountMenu() {
  const t = useT();
  const navigate = useNavigate();
  const user = useSession((state) => state.user);
  const signOut = useSignOut();
  if (user === null) return null;
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
        <MenuItem onSelect={() => void navigate("/settings/profile")}>
          <Settings aria-hidden />
          {t("user.settings")}
        </MenuItem>
        <MenuItem onSelect={() => void navigate("/settings/usage")}>
          <ChartNoAxesColumn aria-hidden />
          {t("user.usage")}
        </MenuItem>
        <MenuSeparator />
        <MenuItem onSelect={() => signOut.mutate("here", { onError: () => toast({ text: t("user.signOutFailed") }) })}>
          <LogOut className="mirror-rtl" aria-hidden />
          {t("user.signOut")}
        </MenuItem>
      </MenuContent>
    </Menu>
  );
}
