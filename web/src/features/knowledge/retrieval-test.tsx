// A question tried on an assistant's files: what a chat would be shown, what was cut off, and why.
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useId, useRef, useState } from "react";
import { api } from "@/api/client";
import { errorParts } from "@/api/error";
import type { FoundPassages, PassagePlace } from "@/api/types";
import { useI18n, useT } from "@/i18n";
import { formatNumber } from "@/lib/format";
import { ratio } from "@/lib/why-passage";
import { announce } from "@/ui/announcer";
import { Button } from "@/ui/button";
import { Facts } from "@/ui/facts";
import { Field } from "@/ui/field";
import { Textarea } from "@/ui/input";
import { InlineNotice } from "@/ui/notice";
import { Empty, ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { FoundPassageCard } from "./found-passage";
import { ranked } from "./ranked";

/** As many characters as the server takes. */
const LONGEST = 2_000;

interface RetrievalTestProps {
  readonly assistantId: string;
  readonly hasFiles: boolean;
  readonly onOpenPassage: (place: PassagePlace) => void;
}

export function RetrievalTest({ hasFiles, ...props }: RetrievalTestProps) {
  const t = useT();
  return hasFiles ? <Test {...props} /> : <Empty title={t("test.noFiles")} body={t("test.noFilesBody")} />;
}

function Test({ assistantId, onOpenPassage }: Omit<RetrievalTestProps, "hasFiles">) {
  const t = useT();
  const [question, setQuestion] = useState("");
  const [wrong, setWrong] = useState<string>();
  const field = useRef<HTMLTextAreaElement>(null);
  const test = useMutation({
    mutationFn: (asked: string) =>
      api.post<FoundPassages>(`/assistants/${assistantId}/retrieval-test`, { question: asked }),
    onSuccess: ({ passages }) => {
      const kept = passages.filter((passage) => passage.kept).length;
      announce(kept === 0 ? `${t("test.none")} ${t("test.noneBody")}` : t("test.keptCount", { count: kept }));
    },
  });
  const run = (event?: FormEvent) => {
    event?.preventDefault();
    const asked = question.trim();
    const length = Array.from(asked).length;
    const reason =
      length === 0
        ? t("invalid.required")
        : length > LONGEST
          ? t("test.tooLong", { max: formatNumber(LONGEST) })
          : undefined;
    setWrong(reason);
    if (reason === undefined) test.mutate(asked);
    else field.current?.focus();
  };
  return (
    <div className="flex flex-col gap-6">
      <form onSubmit={run} noValidate className="flex max-w-[720px] flex-col gap-3">
        <p className="text-muted-foreground">{t("test.intro")}</p>
        <Field label={t("test.question")} error={wrong}>
          {(control) => (
            <Textarea
              {...control}
              ref={field}
              className="min-h-16"
              placeholder={t("test.placeholder")}
              value={question}
              onChange={(event) => setQuestion(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) run(event);
              }}
            />
          )}
        </Field>
        <div>
          <Button type="submit" variant="primary" pending={test.isPending}>
            {t("test.run")}
          </Button>
        </div>
      </form>
      {test.isPending && (
        <Loading label={t("test.running")}>
          <SkeletonRows rows={8} />
        </Loading>
      )}
      {test.isError && (
        <ErrorState
          className="py-8"
          title={t("error.couldNotLoad", { things: t("test.things") })}
          {...errorParts(test.error, t)}
          onRetry={() => run()}
        />
      )}
      {test.isSuccess && <Result found={test.data} onOpenPassage={onOpenPassage} />}
    </div>
  );
}

interface ResultProps {
  readonly found: FoundPassages;
  readonly onOpenPassage: (place: PassagePlace) => void;
}

function Result({ found, onOpenPassage }: ResultProps) {
  const t = useT();
  const keptHeading = useId();
  const cutHeading = useId();
  const { kept, cut } = ranked(found.passages);
  const { threshold } = found;
  return (
    <div className="flex max-w-[820px] flex-col gap-4">
      <InForce found={found} />
      {kept.length === 0 ? (
        found.passages.length === 0 ? (
          <Empty title={t("test.none")} body={t("test.noneBody")} className="py-8" />
        ) : (
          <InlineNotice tone="warning">
            <p className="font-semibold">{t("test.none")}</p>
            <p>{t("test.noneBody")}</p>
          </InlineNotice>
        )
      ) : (
        <section aria-labelledby={keptHeading}>
          <h2 id={keptHeading} className="font-display text-h3 font-semibold">
            {t("test.kept")}
          </h2>
          <p className="mb-2 text-md text-muted-foreground">{t("test.keptCount", { count: kept.length })}</p>
          <ol className="flex flex-col gap-3">
            {kept.map((entry) => (
              <FoundPassageCard key={entry.number} entry={entry} onOpenPassage={onOpenPassage} />
            ))}
          </ol>
        </section>
      )}
      {found.passages.length > 0 && (
        <p className="flex items-center gap-3 py-2 text-md font-semibold text-muted-foreground before:h-px before:min-w-4 before:flex-1 before:bg-input after:h-px after:min-w-4 after:flex-1 after:bg-input">
          <span className="text-center text-balance">
            {threshold === undefined ? t("test.line") : t("test.lineThreshold", { threshold: ratio(threshold) })}
          </span>
        </p>
      )}
      {cut.length > 0 && (
        <section aria-labelledby={cutHeading}>
          <h2 id={cutHeading} className="mb-2 font-display text-h3 font-semibold">
            {t("test.cut")}
          </h2>
          <ol className="flex flex-col gap-3">
            {cut.map((entry) => (
              <FoundPassageCard key={entry.number} entry={entry} onOpenPassage={onOpenPassage} />
            ))}
          </ol>
        </section>
      )}
    </div>
  );
}

/** What this search went by. */
function InForce({ found }: { readonly found: FoundPassages }) {
  const t = useT();
  const language = useI18n((state) => state.language);
  const facts = [
    { label: t("test.threshold"), value: found.threshold === undefined ? undefined : ratio(found.threshold) },
    { label: t("test.topK"), value: found.top_k === undefined ? undefined : formatNumber(found.top_k) },
    { label: t("test.embedding"), value: found.embedding_model },
    { label: t("test.language"), value: languageName(found.language, language) },
  ].flatMap(({ label, value }) => (value === undefined || value === "" ? [] : { label, value }));
  if (facts.length === 0) return null;
  return (
    <section aria-label={t("test.settings")} className="rounded-card bg-muted px-4 py-2.5">
      <Facts facts={facts} />
    </section>
  );
}

/** “German”; the code itself where it names no language. */
function languageName(code: string | undefined, language: string): string | undefined {
  if (code === undefined || code === "") return undefined;
  try {
    return new Intl.DisplayNames(language, { type: "language" }).of(code);
  } catch {
    return code;
  }
}
