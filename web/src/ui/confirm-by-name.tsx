// The question before something is gone for good: whoever means it types its name.
import { type ComponentProps, useEffect, useState } from "react";
import { useT } from "@/i18n";
import { ConfirmDialog } from "./dialog";
import { Field } from "./field";
import { Input } from "./input";

type ConfirmByNameProps = Omit<ComponentProps<typeof ConfirmDialog>, "ready"> & {
  /** What is about to go. */
  name: string;
};

export function ConfirmByName({ name, children, ...props }: ConfirmByNameProps) {
  const t = useT();
  const [typed, setTyped] = useState("");
  useEffect(() => {
    if (!props.open) setTyped("");
  }, [props.open]);
  return (
    <ConfirmDialog {...props} ready={typed.trim() === name.trim()}>
      <Field label={t("confirm.typeName", { name })}>
        {(control) => (
          <Input
            {...control}
            dir="auto"
            autoComplete="off"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        )}
      </Field>
      {children}
    </ConfirmDialog>
  );
}
