// Sets theme, sizes, language and direction before the first paint, from what the person chose last time.
(() => {
  let saved = {};
  try {
    saved = JSON.parse(localStorage.getItem("ai-across:ui") ?? "{}").state ?? {};
  } catch {
    // Storage may be blocked or hold something else: the system's choice then applies.
  }
  const root = document.documentElement;
  const dark =
    saved.theme === "dark" || (saved.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.classList.toggle("dark", dark);
  if (saved.textSize > 0 && saved.textSize !== 100) root.style.fontSize = `${saved.textSize}%`;
  root.toggleAttribute("data-compact", saved.density === "compact");
  const hebrew = saved.language === "he" || (!saved.language && navigator.language.toLowerCase().startsWith("he"));
  root.lang = hebrew ? "he" : "en";
  root.dir = hebrew ? "rtl" : "ltr";
})();
