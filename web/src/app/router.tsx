// Every page, loaded when it is first opened, with its guard.
import { createBrowserRouter, Navigate, type RouteObject } from "react-router";
import { withWords } from "@/i18n";
import { Crash } from "./crash";
import { OnlyAdministrators, OnlyVisitors, RequireSession } from "./guards";
import { paths } from "./paths";

/** Pages of managers and administrators, inside a frame that turns everyone else away before anything is asked for. */
const admin: RouteObject = {
  path: paths.admin,
  lazy: () => withWords("admin", import("./pages/admin-layout")),
  children: [
    { path: "assistants", element: <Navigate to={paths.assistants} replace /> },
    { path: "usage", lazy: () => withWords("usage", withWords("governance", import("./pages/admin-usage"))) },
    {
      Component: OnlyAdministrators,
      children: [
        { index: true, lazy: () => withWords("usage", withWords("governance", import("./pages/admin-dashboard"))) },
        { path: "users", lazy: () => import("./pages/admin-users") },
        { path: "api-keys", lazy: () => import("./pages/admin-api-keys") },
        { path: "providers", lazy: () => withWords("governance", import("./pages/admin-providers")) },
        { path: "queue", lazy: () => withWords("governance", import("./pages/admin-queue")) },
        { path: "audit-logs", lazy: () => import("./pages/admin-audit") },
        { path: "settings", lazy: () => withWords("governance", import("./pages/admin-settings")) },
      ],
    },
  ],
};

/** One module holds all sections: they are small, and many small files would load slower than one. */
function section(name: "Profile" | "Appearance" | "Chat" | "Usage" | "Sessions") {
  return async () => {
    const sections = await withWords("settings", withWords("usage", import("./pages/settings-sections")));
    return { Component: sections[name] };
  };
}

const settings: RouteObject = {
  path: paths.settings,
  lazy: () => withWords("settings", import("./pages/settings")),
  children: [
    { index: true, element: <Navigate to="profile" replace /> },
    { path: "profile", lazy: section("Profile") },
    { path: "appearance", lazy: section("Appearance") },
    { path: "chat", lazy: section("Chat") },
    { path: "usage", lazy: section("Usage") },
    { path: "sessions", lazy: section("Sessions") },
  ],
};

export const routes: RouteObject[] = [
  {
    ErrorBoundary: Crash,
    HydrateFallback: () => null,
    children: [
      {
        Component: OnlyVisitors,
        children: [
          { path: "/login", lazy: () => import("./pages/login") },
          { path: "/setup", lazy: () => import("./pages/setup") },
        ],
      },
      {
        Component: RequireSession,
        children: [
          { path: paths.password, lazy: () => withWords("settings", import("./pages/password")) },
          {
            lazy: () => withWords("chat", import("./shell")),
            children: [
              {
                // Inside the shell, so that a page that breaks leaves the sidebar alive.
                ErrorBoundary: Crash,
                children: [
                  { path: "/", lazy: () => import("./pages/dashboard") },
                  { path: "/assistants", lazy: () => import("./pages/assistants") },
                  { path: "/assistants/new", lazy: () => import("./pages/assistant-new") },
                  { path: "/assistants/:id", lazy: () => import("./pages/assistant") },
                  { path: "/assistants/:id/edit", lazy: () => import("./pages/assistant-edit") },
                  // One route for both, so that a new chat goes on in place when it gets its address.
                  { path: "/chat/:id", lazy: () => import("./pages/chat") },
                  settings,
                  admin,
                  { path: "*", lazy: () => import("./pages/not-found") },
                ],
              },
            ],
          },
        ],
      },
    ],
  },
];

export function createRouter() {
  return createBrowserRouter(routes);
}
