// Opens a page of the whole app, as a person of some role or as a visitor.
import { render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { createMemoryRouter, RouterProvider } from "react-router";
import { endSession, startSession } from "@/api/session";
import type { User } from "@/api/types";
import { Providers } from "@/app/providers";
import { routes } from "@/app/router";
import { aTokenPair } from "./factories";

/** The router tells where the person has got to. */
export function open(path: string, user: User | null) {
  if (user === null) endSession();
  else startSession(aTokenPair(user));
  const router = createMemoryRouter(routes, { initialEntries: [path] });
  const person = userEvent.setup();
  const view = render(
    <Providers>
      <RouterProvider router={router} />
    </Providers>,
  );
  return { ...view, router, person, address: () => router.state.location.pathname + router.state.location.search };
}
