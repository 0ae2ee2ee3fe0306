// The “⋯” of a message: a plain button until it is pressed, so that long chats stay light.
import { Ellipsis } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import type { MessageMenuProps } from "./message-menu";

const menu = () => import("./message-menu");
const MessageMenu = lazy(() => menu().then((module) => ({ default: module.MessageMenu })));

export function MoreButton(props: MessageMenuProps) {
  const t = useT();
  const [asked, setAsked] = useState(false);
  const button = (
    <Button
      variant="ghost"
      size="icon-sm"
      aria-haspopup="menu"
      aria-label={t("chat.moreActions")}
      className="text-muted-foreground"
      onPointerEnter={() => void menu()}
      {...(asked ? {} : { onClick: () => setAsked(true) })}
    >
      <Ellipsis aria-hidden />
    </Button>
  );
  if (!asked) return button;
  return (
    <Suspense fallback={button}>
      <MessageMenu {...props}>{button}</MessageMenu>
    </Suspense>
  );
}
