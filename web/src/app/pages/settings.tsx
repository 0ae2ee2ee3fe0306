// A person's own settings: the list of sections, and the one that is open.
import { NavLink, Outlet } from "react-router";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { Page, PageHeading } from "@/ui/page";

const sections = ["profile", "appearance", "chat", "usage", "sessions"] as const;

export function Component() {
  const t = useT();
  return (
    <Page width="form">
      <PageHeading>{t("settings.title")}</PageHeading>
      <nav aria-label={t("settings.sections")} className="mt-5 mb-7 overflow-x-auto border-b">
        <ul className="flex gap-5">
          {sections.map((section) => (
            <li key={section}>
              <NavLink
                to={section}
                className={({ isActive }) =>
                  cn(
                    "flex h-10 items-center border-b-2 border-transparent font-semibold whitespace-nowrap text-muted-foreground transition-colors duration-120 focus-visible:-outline-offset-2 hoverable:hover:text-foreground coarse:h-11",
                    isActive && "border-primary text-foreground",
                  )
                }
              >
                {t(`settings.${section}`)}
              </NavLink>
            </li>
          ))}
        </ul>
      </nav>
      <Outlet />
    </Page>
  );
}
