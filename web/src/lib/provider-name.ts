// What people call the providers of models. Proper names: the same in every language.

const NAMES: Readonly<Record<string, string>> = {
  openrouter: "OpenRouter",
  openai: "OpenAI",
  anthropic: "Anthropic",
  google: "Google",
};

/** The name of a provider; its own word where we know none. */
export function providerName(provider: string): string {
  return NAMES[provider] ?? provider;
}
