// The administrator's places, in the middle of the sidebar; folded, only their signs.
import {
  Activity,
  ArrowLeft,
  ChartColumn,
  KeyRound,
  LayoutDashboard,
  ListTodo,
  ScrollText,
  Settings2,
  Shapes,
  UsersRound,
} from "lucide-react";
import { NavLink } from "react-router";
import { useSession } from "@/api/session";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { Button } from "@/ui/button";
import { Tooltip } from "@/ui/tooltip";

const places = [
  { to: "/admin", icon: LayoutDashboard, label: "admin.nav.dashboard", administrators: true },
  { to: "/admin/users", icon: UsersRound, label: "admin.nav.users", administrators: true },
  { to: "/assistants", icon: Shapes, label: "nav.assistants", administrators: false },
  { to: "/admin/api-keys", icon: KeyRound, label: "admin.nav.keys", administrators: true },
  { to: "/admin/providers", icon: Activity, label: "admin.nav.providers", administrators: true },
  { to: "/admin/queue", icon: ListTodo, label: "admin.nav.queue", administrators: true },
  { to: "/admin/usage", icon: ChartColumn, label: "admin.nav.usage", administrators: false },
  { to: "/admin/settings", icon: Settings2, label: "admin.nav.settings", administrators: true },
  { to: "/admin/audit-logs", icon: ScrollText, label: "admin.nav.audit", administrators: true },
  { to: "/", icon: ArrowLeft, label: "admin.nav.leave", administrators: false },
] as const;

export default function AdminNav({ folded = false }: { folded?: boolean }) {
  const t = useT();
  const administrator = useSession((state) => state.user?.role === "admin");
  const shown = places.filter((place) => administrator || !place.administrators);
  if (folded) {
    return (
      <nav aria-label={t("admin.title")} className="flex flex-col gap-1">
        {shown.map(({ to, icon: Icon, label }) => (
          <Tooltip key={to} label={t(label)}>
            <Button asChild variant="ghost" size="icon">
              <NavLink to={to} end aria-label={t(label)} className="aria-[current=page]:bg-accent">
                <Icon className={cn(to === "/" && "mirror-rtl")} aria-hidden />
              </NavLink>
            </Button>
          </Tooltip>
        ))}
      </nav>
    );
  }
  return (
    <nav aria-label={t("admin.title")} className="mt-3 flex min-h-0 flex-1 flex-col gap-0.5 overflow-y-auto">
      <p className="px-2.5 pb-1 text-sm font-semibold text-primary-text">{t("admin.title")}</p>
      {shown.map(({ to, icon: Icon, label }) => (
        <NavLink
          key={to}
          to={to}
          end
          className={({ isActive }) =>
            cn(
              "flex min-h-[34px] shrink-0 items-center gap-2.5 rounded-control px-2.5 transition-colors duration-120 hoverable:hover:bg-accent/60 coarse:min-h-11",
              isActive && "bg-accent font-semibold",
              to === "/" && "mt-3 text-muted-foreground",
            )
          }
        >
          <Icon
            className={cn("size-4 shrink-0 stroke-[1.75] text-muted-foreground", to === "/" && "mirror-rtl")}
            aria-hidden
          />
          {t(label)}
        </NavLink>
      ))}
    </nav>
  );
}
