/** Every word the page says, in the language that was chosen, and its numbers. English until another one is there. */

import { EN, type Words } from "./words/en";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const STORED_AS = "immersive.language";

// Whoever imports these sees the words of the moment.
export let STRINGS: Words["strings"] = EN.strings;
export let FAILURES: Words["failures"] = EN.failures;
export let language: Language = "en";

/** The language asked for in the address, else chosen before, else the first of the browser's that there is. */
export function chosenLanguage(asked: string | null, stored: string | null, browser: readonly string[]): Language {
  const wishes = [asked, stored, ...browser].map((wish) => wish?.split("-")[0]?.toLowerCase());
  return wishes.find((wish): wish is Language => wish !== undefined && Object.hasOwn(LANGUAGES, wish)) ?? "en";
}

/** Speak the visitor's language; English when its words do not come. */
export async function speak(): Promise<void> {
  const wanted = chosenLanguage(new URLSearchParams(location.search).get("lang"), remembered(), navigator.languages);
  if (wanted === "de") {
    const words = await import("./words/de").catch(() => undefined);
    if (words) use(wanted, words.DE);
  }
  document.documentElement.lang = language;
}

export function use(chosen: Language, words: Words): void {
  language = chosen;
  STRINGS = words.strings;
  FAILURES = words.failures;
}

/** Remember the choice and load the page again in it: the words are all over the page. */
export function changeLanguage(chosen: Language): void {
  const address = new URL(location.href);
  address.searchParams.delete("lang");
  try {
    localStorage.setItem(STORED_AS, chosen);
  } catch {
    address.searchParams.set("lang", chosen); // storage is full or forbidden
  }
  if (address.href === location.href) location.reload();
  else location.replace(address);
}

function remembered(): string | null {
  try {
    return localStorage.getItem(STORED_AS);
  } catch {
    return null;
  }
}

export function decimal(value: number, digits = 0): string {
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** `share` of 1 in percent. */
export function percent(share: number): string {
  return new Intl.NumberFormat(language, { style: "percent" }).format(share);
}

export function megabytes(bytes: number): string {
  const unit = { style: "unit", unit: "megabyte", minimumFractionDigits: 1, maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(language, unit).format(bytes / 1e6);
}
