/** What the visitor wants of this device; kept for the next visit where a browser keeps anything. */

export const QUALITIES = ["auto", "low", "medium", "high"] as const;
export type Quality = (typeof QUALITIES)[number];

const KEY = "immersive.quality";

export function keptQuality(storage: () => Storage = () => window.localStorage): Quality {
  try {
    const kept = storage().getItem(KEY);
    return QUALITIES.find((quality) => quality === kept) ?? "auto";
  } catch {
    return "auto"; // storage throws where a browser forbids it
  }
}

export function keepQuality(quality: Quality, storage: () => Storage = () => window.localStorage): void {
  try {
    storage().setItem(KEY, quality);
  } catch {
    // It holds for this visit.
  }
}
