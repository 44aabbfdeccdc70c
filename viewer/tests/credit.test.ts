import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CreditWindow } from "../src/protocol/creditWindow";

interface Golden {
  /** What happens, its argument, and when in milliseconds: 0 a round trip, 1 bytes arrive, 2 are used up, 3 a hold is over. */
  readonly steps: readonly (readonly [number, number, number])[];
  readonly credit: readonly number[];
}

describe("credit", () => {
  it("is given as the Python client gives it", () => {
    // Written by tests/immersive/test_credit_window.py.
    const golden = JSON.parse(readFileSync(new URL("credit.golden.json", import.meta.url), "utf8")) as Golden;
    const window = new CreditWindow();
    const found = golden.steps.map(([what, argument, nowMs]) => {
      if (what === 0) window.measureRoundTrip(argument);
      else if (what === 1) window.arrive(argument, nowMs);
      else return what === 2 ? window.release(argument) : window.flush();
      return 0;
    });

    expect(found).toEqual(golden.credit);
    expect(found.some((bytes, step) => bytes === 0 && golden.steps[step]?.[0] === 2)).toBe(true);
  });
});
