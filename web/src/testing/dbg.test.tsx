// dbg
import { screen } from "@testing-library/react";
import { it } from "vitest";
import { aUser } from "@/testing/factories";
import { open } from "@/testing/render";
it("x", async () => {
  const { person } = open("/assistants", aUser());
  const b = await screen.findByRole("button", { name: /Dana Levi/ });
  await new Promise((r) => setTimeout(r, 500));
  for (const ev of ["pointerdown","mousedown","focusin","focusout","click","pointerup"]) document.addEventListener(ev, (e) => console.log(ev, (e.target as Element).tagName, (e.target as Element).getAttribute("role"), (e as any).button, e.defaultPrevented), true);
  await person.click(b);
  console.log(b.outerHTML.slice(0, 300), document.body.children.length);
});
