// The whole app: providers around the router.
import { RouterProvider } from "react-router/dom";
import { Boot } from "./boot";
import { Providers } from "./providers";
import { createRouter } from "./router";

const router = createRouter();

export function App() {
  return (
    <Providers>
      <Boot>
        <RouterProvider router={router} />
      </Boot>
    </Providers>
  );
}
