// Who may see what: signed in or not, role.
import { lazy, type ReactNode, Suspense, useEffect, useRef } from "react";
import { Navigate, Outlet, useLocation, useSearchParams } from "react-router";
import { canManage, useSession } from "@/api/session";
import { Forbidden } from "./pages/forbidden";
import { paths, safeNext } from "./paths";

const SessionExpiredDialog = lazy(() => import("@/features/session/session-expired-dialog"));

/**
 * Everything inside needs a signed-in person; the sign-in page then leads back here. Whoever has to choose a new
 * password reaches nothing else before. A session that ends meanwhile is renewed in place.
 */
export function RequireSession() {
  const { user, status } = useSession();
  const location = useLocation();
  const wasHere = useRef(false);
  useEffect(() => {
    if (user !== null) wasHere.current = true;
  }, [user]);
  if (user === null) {
    // After signing out the next person starts at the dashboard, not on the last one's page.
    const here = `${location.pathname}${location.search}`;
    const next = wasHere.current || here === "/" ? "" : `?next=${encodeURIComponent(here)}`;
    return <Navigate to={`${paths.login}${next}`} replace />;
  }
  if (user.must_change_password && location.pathname !== paths.password) {
    const here = `${location.pathname}${location.search}`;
    return <Navigate to={`${paths.password}?next=${encodeURIComponent(here)}`} replace />;
  }
  return (
    <>
      <Outlet />
      <Suspense>{status === "expired" && <SessionExpiredDialog />}</Suspense>
    </>
  );
}

/** The sign-in and set-up pages are for those who are not in yet. */
export function OnlyVisitors() {
  const user = useSession((state) => state.user);
  const [params] = useSearchParams();
  return user === null ? <Outlet /> : <Navigate to={safeNext(params.get("next"))} replace />;
}

/** Managers and administrators; anyone else reads why not, and no data is asked for. */
export function RequireManager({ children }: { children: ReactNode }) {
  return useSession((state) => canManage(state.user?.role)) ? children : <Forbidden />;
}

/** The pages inside are for administrators. */
export function OnlyAdministrators() {
  return useSession((state) => state.user?.role === "admin") ? <Outlet /> : <Forbidden />;
}
