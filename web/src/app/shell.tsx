// The frame for people: the sidebar at the start, the page beside it. The frame stands still; only the page scrolls.
import { House, MessageSquarePlus, PanelLeftClose, PanelLeftOpen, Shapes, ShieldCheck, X } from "lucide-react";
import { lazy, type ReactNode, Suspense, useEffect, useRef } from "react";
import { Link, NavLink, Outlet, useLocation } from "react-router";
import { canManage, useSession } from "@/api/session";
import { usePublicSettings } from "@/api/settings";
import { useT, withWords } from "@/i18n";
import { useAppName } from "@/lib/app-name";
import { cn } from "@/lib/cn";
import { closeSidebar, openSidebar, useSidebarSheet } from "@/lib/sidebar-sheet";
import { useUi } from "@/lib/ui-store";
import { Announcer } from "@/ui/announcer";
import { Button } from "@/ui/button";
import { Logo } from "@/ui/logo";
import { Tooltip, TooltipProvider } from "@/ui/tooltip";
import { ConnectionNotice } from "./connection-notice";
import { paths } from "./paths";

// None of these is needed for the first paint.
const ConversationList = lazy(() =>
  import("@/features/conversations/conversation-list").then((list) => ({ default: list.ConversationList })),
);
const AdminNav = lazy(() => withWords("admin", import("@/features/admin/admin-nav")));
const Sheet = lazy(() => import("@/ui/dialog").then((parts) => ({ default: parts.Sheet })));
const Toaster = lazy(() => import("@/ui/toaster"));
const AccountMenu = lazy(() =>
  import("@/features/session/account-menu").then((menu) => ({ default: menu.AccountMenu })),
);
const UsageMeter = lazy(() => withWords("settings", import("@/features/settings/usage-meter")));
const NoticeBar = lazy(() => withWords("settings", import("@/features/settings/notice-bar")));

const everyone = [
  { to: paths.dashboard, icon: House, label: "nav.dashboard" },
  { to: paths.assistants, icon: Shapes, label: "nav.assistants" },
] as const;

/** Managers have no dashboard among the administrator's pages: they start at what they may see. */
function usePlaces() {
  const role = useSession((state) => state.user?.role);
  if (!canManage(role)) return everyone;
  const admin = role === "admin" ? paths.admin : paths.adminUsage;
  return [...everyone, { to: admin, icon: ShieldCheck, label: "nav.admin" }] as const;
}

/** Whether the sidebar leads around the administrator's pages instead of the chats. */
function useInAdmin(): boolean {
  const manager = useSession((state) => canManage(state.user?.role));
  const { pathname } = useLocation();
  return manager && (pathname === paths.admin || pathname.startsWith(`${paths.admin}/`));
}

/** The sidebar in full; `corner` is the button that folds or closes it. */
function Sidebar({ corner }: { corner: ReactNode }) {
  const t = useT();
  const inAdmin = useInAdmin();
  const name = useAppName((state) => state.name);
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-sidebar p-3">
      <div className="flex items-center justify-between pb-3 ps-1.5">
        <Link
          to={paths.dashboard}
          className="flex min-w-0 items-center gap-2.5 rounded-control font-display text-[1.1875rem] leading-none font-semibold tracking-[-0.01em]"
        >
          <Logo />
          <bdi className="min-w-0 truncate leading-normal">{name}</bdi>
        </Link>
        {corner}
      </div>
      <Button asChild variant="primary" className="justify-start">
        <Link to={paths.newChat}>
          <MessageSquarePlus aria-hidden />
          {t("action.newChat")}
        </Link>
      </Button>
      <div className="flex min-h-0 flex-1 flex-col">
        {inAdmin ? (
          <Suspense>
            <AdminNav />
          </Suspense>
        ) : (
          <Desk />
        )}
      </div>
      <div className="-mx-1 border-t pt-2">
        <Suspense>
          <UsageMeter />
        </Suspense>
        {/* The place is kept, so that nothing above it moves when it comes. */}
        <div className="min-h-[3.25rem]">
          <Suspense>
            <AccountMenu />
          </Suspense>
        </div>
      </div>
    </div>
  );
}

/** The middle of the sidebar: the places of everyone's work, and the chats. */
function Desk() {
  const t = useT();
  const places = usePlaces();
  return (
    <>
      <nav aria-label={t("nav.main")} className="mt-2 flex flex-col gap-0.5">
        {places.map(({ to, icon: Icon, label }) => (
          <NavLink
            key={to}
            to={to}
            end={to === paths.dashboard}
            className={({ isActive }) =>
              cn(
                "flex min-h-[34px] items-center gap-2.5 rounded-control px-2.5 transition-colors duration-120 hoverable:hover:bg-accent/60 coarse:min-h-11",
                isActive && "bg-accent font-semibold",
              )
            }
          >
            <Icon className="size-4 shrink-0 stroke-[1.75] text-muted-foreground" aria-hidden />
            {t(label)}
          </NavLink>
        ))}
      </nav>
      <div className="-mx-3 mt-2 flex min-h-0 flex-1 flex-col overflow-hidden">
        <Suspense>
          <ConversationList />
        </Suspense>
      </div>
    </>
  );
}

/** The folded sidebar: signs with names on hover. */
function Rail({ onOpen, className }: { onOpen: () => void; className: string }) {
  const t = useT();
  const places = usePlaces();
  const inAdmin = useInAdmin();
  return (
    <div className={cn("w-14 flex-col items-center gap-1 border-e bg-sidebar py-3", className)}>
      <Tooltip label={t("nav.open")}>
        <Button variant="ghost" size="icon" aria-label={t("nav.open")} onClick={onOpen}>
          <PanelLeftOpen className="mirror-rtl" aria-hidden />
        </Button>
      </Tooltip>
      <Tooltip label={t("action.newChat")}>
        <Button asChild variant="primary" size="icon" className="mb-1">
          <Link to={paths.newChat} aria-label={t("action.newChat")}>
            <MessageSquarePlus aria-hidden />
          </Link>
        </Button>
      </Tooltip>
      {inAdmin ? (
        <Suspense>
          <AdminNav folded />
        </Suspense>
      ) : (
        <nav aria-label={t("nav.main")} className="flex flex-col gap-1">
          {places.map(({ to, icon: Icon, label }) => (
            <Tooltip key={to} label={t(label)}>
              <Button asChild variant="ghost" size="icon">
                <NavLink
                  to={to}
                  end={to === paths.dashboard}
                  aria-label={t(label)}
                  className="aria-[current=page]:bg-accent"
                >
                  <Icon aria-hidden />
                </NavLink>
              </Button>
            </Tooltip>
          ))}
        </nav>
      )}
    </div>
  );
}

function FoldButton() {
  const t = useT();
  return (
    <Tooltip label={t("nav.close")}>
      <Button
        variant="ghost"
        size="icon-sm"
        aria-label={t("nav.close")}
        onClick={() => useUi.setState({ sidebarOpen: false })}
      >
        <PanelLeftClose className="mirror-rtl text-muted-foreground" aria-hidden />
      </Button>
    </Tooltip>
  );
}

/** The chat is where most go next, and dialogs open at a click: their code is fetched while nothing else happens. */
function usePrefetchChat(): void {
  useEffect(() => {
    const idle = window.requestIdleCallback ?? ((run: () => void) => window.setTimeout(run, 2_000));
    // A failure costs nothing: opening the chat asks again.
    idle(() => void Promise.all([import("./pages/chat"), import("@/ui/dialog")]).catch(() => undefined));
  }, []);
}

export function Component() {
  const t = useT();
  const wide = useUi((state) => state.sidebarOpen);
  const sheet = useSidebarSheet((state) => state.open);
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  usePrefetchChat();
  usePublicSettings();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new place closes the sheet and starts at the top.
  useEffect(() => {
    closeSidebar();
    main.current?.scrollTo(0, 0);
  }, [pathname]);

  return (
    <TooltipProvider delayDuration={400}>
      <div
        className={cn(
          "grid h-dvh grid-cols-[minmax(0,1fr)] grid-rows-[minmax(0,1fr)] overflow-hidden sm:grid-cols-[3.5rem_minmax(0,1fr)]",
          wide && "lg:grid-cols-[16.5rem_minmax(0,1fr)]",
        )}
      >
        <a
          href="#content"
          className="sr-only rounded-control bg-primary px-4 py-2 font-semibold text-primary-foreground focus:not-sr-only focus:fixed focus:start-3 focus:top-3 focus:z-50"
        >
          {t("app.skip")}
        </a>
        <aside aria-label={t("nav.sidebar")} className="hidden min-h-0 sm:flex">
          {wide && (
            <div className="hidden min-h-0 w-[16.5rem] border-e lg:flex">
              <Sidebar corner={<FoldButton />} />
            </div>
          )}
          {/* Below 1024 px the sidebar opens over the page; above, it unfolds beside it. */}
          <Rail className="flex lg:hidden" onOpen={openSidebar} />
          {!wide && <Rail className="hidden lg:flex" onOpen={() => useUi.setState({ sidebarOpen: true })} />}
        </aside>
        <main
          id="content"
          ref={main}
          tabIndex={-1}
          className="flex min-h-0 min-w-0 flex-col overflow-y-auto overscroll-contain outline-none"
        >
          <ConnectionNotice />
          <Suspense>
            <NoticeBar />
          </Suspense>
          <Outlet />
        </main>
        <Suspense>
          {sheet && (
            <Sheet
              open
              onOpenChange={(open) => useSidebarSheet.setState({ open })}
              title={t("nav.sidebar")}
              side="start"
              className="bg-sidebar pb-[env(safe-area-inset-bottom)]"
            >
              <Sidebar
                corner={
                  <Button variant="ghost" size="icon-sm" aria-label={t("nav.close")} onClick={closeSidebar}>
                    <X aria-hidden />
                  </Button>
                }
              />
            </Sheet>
          )}
          <Toaster />
        </Suspense>
        <Announcer />
      </div>
    </TooltipProvider>
  );
}
