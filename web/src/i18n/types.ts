// Types of the catalogues: a missing key, a missing plural form or a missing placeholder value fails the build.

/** A sentence that depends on a number; `other` always exists, the rest as the language needs them. */
export type Plural = { readonly other: string } & { readonly [form in Intl.LDMLPluralRule]?: string };

export type Catalogue = Readonly<Record<string, string | Plural>>;

/** What a translation of catalogue `C` must hold: the same keys, each of the same shape. */
export type Translation<C extends Catalogue> = { readonly [K in keyof C]: C[K] extends string ? string : Plural };

/** The placeholder names in a sentence: `"{name} is {size}"` gives `"name" | "size"`. */
type Names<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;

type NamesOf<M> = M extends string ? Names<M> : M extends { other: infer S } ? Names<S> | "count" : never;

export type Params<M> = { readonly [N in NamesOf<M>]: N extends "count" ? number : string | number };

/** Translates a key; sentences with placeholders need their values. */
export type Translate<C extends Catalogue> = <K extends keyof C>(
  key: K,
  ...params: NamesOf<C[K]> extends never ? [] : [params: Params<C[K]>]
) => string;
