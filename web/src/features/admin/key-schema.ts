// What the forms of a provider's key accept: the limits of the server, with the sentences shown when they are broken.
import * as z from "zod/mini";
import type { ApiKeyCreate, KeyProvider } from "@/api/types";
import type { T } from "@/i18n";

export const PROVIDERS: readonly KeyProvider[] = ["openrouter", "openai", "anthropic", "google", "custom"];
const CONTEXT_MAX = 10_000_000;

function isAddress(text: string): boolean {
  try {
    return /^https?:$/.test(new URL(text).protocol);
  } catch {
    return false;
  }
}

const isPrice = (text: string) => text === "" || (Number.isFinite(Number(text)) && Number(text) >= 0);
const isContext = (text: string) =>
  text === "" || (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= CONTEXT_MAX);

function fields(t: T) {
  return {
    name: z
      .string()
      .check(z.trim(), z.minLength(1, t("invalid.required")), z.maxLength(100, t("invalid.long", { max: 100 }))),
    key: z
      .string()
      .check(
        z.minLength(1, t("invalid.required")),
        z.minLength(8, t("invalid.short", { min: 8 })),
        z.maxLength(512, t("invalid.long", { max: 512 })),
        z.regex(/^[!-~]*$/, t("keys.invalid.ascii")),
      ),
    address: z
      .string()
      .check(z.trim(), z.minLength(1, t("invalid.required")), z.refine(isAddress, t("keys.invalid.url"))),
    price: z.string().check(z.trim(), z.refine(isPrice, t("keys.invalid.price"))),
    context: z.string().check(z.trim(), z.refine(isContext, t("invalid.whole", { min: 1, max: CONTEXT_MAX }))),
  };
}

/** Only a custom provider has an address and prices of its own. */
export function newKeySchema(t: T, custom: boolean) {
  const { name, key, address, price, context } = fields(t);
  const text = z.string();
  return z.object({
    provider: z.enum(["openrouter", "openai", "anthropic", "google", "custom"]),
    name,
    key,
    is_default: z.boolean(),
    base_url: custom ? address : text,
    prompt_price: custom ? price : text,
    completion_price: custom ? price : text,
    context_length: custom ? context : text,
  });
}

export type NewKeyValues = z.infer<ReturnType<typeof newKeySchema>>;

export function toBody(values: NewKeyValues): ApiKeyCreate {
  const { provider, name, key, is_default, base_url, prompt_price, completion_price, context_length } = values;
  const common = { provider, name, key, is_default };
  if (provider !== "custom") return common;
  return {
    ...common,
    base_url,
    ...(prompt_price === "" ? {} : { prompt_price: Number(prompt_price) }),
    ...(completion_price === "" ? {} : { completion_price: Number(completion_price) }),
    ...(context_length === "" ? {} : { context_length: Number(context_length) }),
  };
}

/** The name and, for a custom provider, the address; a new address needs the key again. */
export function editKeySchema(t: T, custom: boolean, keyNeeded: boolean) {
  const { name, key, address } = fields(t);
  const text = z.string();
  return z.object({ name, base_url: custom ? address : text, key: keyNeeded ? key : text });
}

export type EditKeyValues = z.infer<ReturnType<typeof editKeySchema>>;

export function replaceKeySchema(t: T) {
  return z.object({ key: fields(t).key });
}
