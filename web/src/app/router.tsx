// Every page, loaded when it is first opened, with its guard.
import { createBrowserRouter, type RouteObject } from "react-router";
import { Crash } from "./crash";
import { OnlyVisitors, RequireSession } from "./guards";

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
          {
            lazy: () => import("./shell"),
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
