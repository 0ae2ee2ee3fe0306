// What an assistant's form accepts: the limits of the server, with the sentences shown when they are broken.
import * as z from "zod/mini";
import type { Assistant, AssistantCreate, Model } from "@/api/types";
import type { T } from "@/i18n";

export const LIMITS = { nameMin: 3, name: 50, description: 500, instructions: 20_000, maxTokens: 32_768 } as const;

/** The longest answer this model can give, in tokens. */
export function tokenLimit(model: string, models: readonly Model[]): number {
  const chosen = models.find((each) => (model === "" ? each.is_default : each.id === model));
  return Math.min(LIMITS.maxTokens, chosen?.max_output_tokens ?? LIMITS.maxTokens);
}

/** Unicode characters, as the server counts them. */
export function length(text: string): number {
  return Array.from(text).length;
}

export function assistantSchema(t: T, models: readonly Model[]) {
  const atMost = (max: number) => z.refine<string>((text) => length(text) <= max, t("invalid.long", { max }));
  const temperature = t("invalid.number", { min: 0, max: 2 });
  const tokens = t("invalid.whole", { min: 1, max: LIMITS.maxTokens });
  return z
    .object({
      name: z.string().check(
        z.trim(),
        z.minLength(1, t("invalid.required")),
        z.refine((text) => length(text) >= LIMITS.nameMin, t("invalid.short", { min: LIMITS.nameMin })),
        atMost(LIMITS.name),
      ),
      description: z.string().check(z.trim(), atMost(LIMITS.description)),
      instructions: z.string().check(z.trim(), atMost(LIMITS.instructions)),
      model: z.string(),
      temperature: z.number(temperature).check(z.gte(0, temperature), z.lte(2, temperature)),
      max_tokens: z.int(tokens).check(z.gte(1, tokens), z.lte(LIMITS.maxTokens, tokens)),
    })
    .check(
      z.refine((value) => value.max_tokens <= tokenLimit(value.model, models), {
        path: ["max_tokens"],
        error: (issue) => {
          const { model } = issue.input as { model: string };
          return t("invalid.whole", { min: 1, max: tokenLimit(model, models) });
        },
      }),
    );
}

export type AssistantValues = z.infer<ReturnType<typeof assistantSchema>>;

export function toValues(assistant: Assistant | null): AssistantValues {
  return {
    name: assistant?.name ?? "",
    description: assistant?.description ?? "",
    instructions: assistant?.instructions ?? "",
    model: assistant?.model ?? "",
    temperature: assistant?.temperature ?? 0.7,
    max_tokens: assistant?.max_tokens ?? 2048,
  };
}

export function toBody(values: AssistantValues): AssistantCreate {
  return { ...values, description: values.description || null, model: values.model || null };
}
