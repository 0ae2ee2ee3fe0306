// Runs before every unit test: a fake server, the browser parts jsdom lacks, and a clean desk after each test.
import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterAll, afterEach, beforeAll } from "vitest";
import { queryClient } from "@/api/query";
import { endSession, useSession } from "@/api/session";
import { applyLanguage, withWords } from "@/i18n";
import { useAppName } from "@/lib/app-name";
import { useSidebarSheet } from "@/lib/sidebar-sheet";
import { useUi } from "@/lib/ui-store";
import { server } from "./server";

// A page's code is loaded when the page is first opened; on a busy machine that alone may take a second.
configure({ asyncUtilTimeout: 8_000 });

class NoResizeObserver implements ResizeObserver {
  observe() {}
  unobserve() {}
  disconnect() {}
}

globalThis.ResizeObserver ??= NoResizeObserver;
window.matchMedia ??= (media: string): MediaQueryList =>
  Object.assign(new EventTarget(), {
    matches: false,
    media,
    onchange: null,
    addListener: () => {},
    removeListener: () => {},
  });
Element.prototype.scrollIntoView ??= () => {};
Element.prototype.scrollTo = () => {};
Element.prototype.hasPointerCapture ??= () => false;
Element.prototype.setPointerCapture ??= () => {};
Element.prototype.releasePointerCapture ??= () => {};

beforeAll(async () => {
  server.listen({ onUnhandledRequest: "error" });
  // The frame of the app brings these words; parts of the chat are also drawn without it.
  await withWords("chat", Promise.resolve());
});

afterEach(async () => {
  cleanup();
  server.resetHandlers();
  endSession();
  useSession.setState({ status: "unknown", user: null });
  queryClient.clear();
  localStorage.clear();
  sessionStorage.clear();
  useUi.setState(useUi.getInitialState());
  useAppName.setState(useAppName.getInitialState());
  useSidebarSheet.setState({ open: false });
  document.documentElement.className = "";
  await applyLanguage("en");
});

afterAll(() => server.close());
