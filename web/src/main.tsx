// Starts the app: hands the nonce to libraries that write style, loads the language, mounts.
import "./styles.css";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/app";
import { applyLanguage } from "./i18n";
import { useUi } from "./lib/ui-store";

const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce;
if (nonce) setNonce(nonce);

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

// A catalogue that does not arrive must not keep anyone out: the texts are then English.
await applyLanguage(useUi.getState().language).catch(() => applyLanguage("en"));
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
