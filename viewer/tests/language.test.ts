import { describe, expect, it } from "vitest";
import { STRINGS, chosenLanguage, decimal, megabytes, percent, use } from "../src/ui/strings";
import { DE } from "../src/ui/words/de";
import { EN } from "../src/ui/words/en";

/** Names, letters on keys, and words that both languages have. */
const EQUAL = new Set([
  "strings.product",
  "strings.codeGate.label",
  "strings.controlKeys.walk.0",
  "strings.controlKeys.walk.1",
  "strings.controlKeys.look.1",
  "strings.controlKeys.flyToggle.0",
  "strings.controlKeys.riseSink.1",
  "strings.controlKeys.recentre.0",
  "strings.controlKeys.say.0",
  "strings.controlKeys.info.0",
  "strings.controlKeys.help.0",
  "strings.controlKeys.figures.0",
  "strings.figures.step",
]);

/** Every leaf of a table by its path; what is made from facts is made from 71, 72 and 73. */
function leaves(table: unknown, path: string): Map<string, string> {
  if (typeof table === "string") return new Map([[path, table]]);
  if (typeof table === "function") return new Map([[path, (table as (...facts: number[]) => string)(71, 72, 73)]]);
  const found = new Map<string, string>();
  for (const [name, inner] of Object.entries(table as object)) {
    for (const [at, words] of leaves(inner, path ? `${path}.${name}` : name)) found.set(at, words);
  }
  return found;
}

describe("the two languages", () => {
  const [english, german] = [leaves(EN, ""), leaves(DE, "")];

  it("say the same things", () => {
    expect([...german.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it("differ, but for a few words", () => {
    const same = [...english].filter(([path, words]) => german.get(path) === words).map(([path]) => path);
    expect(new Set(same)).toEqual(EQUAL);
  });

  it("leave out no fact", () => {
    const facts = (words: string | undefined) => words?.match(/71|72|73/g)?.sort();
    for (const [path, words] of english) expect(facts(german.get(path)), path).toEqual(facts(words));
  });

  it("address nobody, in German", () => {
    for (const [path, words] of german) expect(words, path).not.toMatch(/\b(du|dein\w*|dich|dir|Sie|Ihr\w*|Ihnen)\b(?! (kann|haben|sind|wurde))/);
  });
});

describe("the language of a visit", () => {
  it("is the one in the address, then the one chosen before, then the browser's", () => {
    expect(chosenLanguage("de", "en", ["en"])).toBe("de");
    expect(chosenLanguage(null, "de", ["en-GB"])).toBe("de");
    expect(chosenLanguage(null, null, ["fr-CA", "de-AT", "en"])).toBe("de");
    expect(chosenLanguage("tlh", "constructor", ["fr"])).toBe("en");
  });

  it("changes words and numbers where they are used", () => {
    expect([decimal(1234567), decimal(31.25, 1), percent(0.406), megabytes(12_345_678)]).toEqual([
      "1,234,567",
      "31.3",
      "41%",
      "12.3 MB",
    ]);

    use("de", DE);

    expect(STRINGS.close).toBe("Schließen");
    const spaced = [decimal(1234567), decimal(31.25, 1), percent(0.406), megabytes(12_345_678)];
    expect(spaced.map((words) => words.replaceAll("\u00a0", " "))).toEqual(["1.234.567", "31,3", "41 %", "12,3 MB"]);
    use("en", EN);
  });
});
