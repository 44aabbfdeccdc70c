/** The choice between a fluent and a rich picture. */

import { QUALITIES, type Quality } from "../device/quality";
import { element } from "./dom";
import { STRINGS } from "./strings";

export interface QualityActions {
  chosen(): Quality;
  choose(quality: Quality): void;
}

export function qualityChoice(actions: QualityActions): HTMLElement {
  const select = element("select", { class: "field", id: "quality" });
  for (const quality of QUALITIES) select.append(element("option", { value: quality }, STRINGS.qualities[quality]));
  select.value = actions.chosen();
  select.addEventListener("change", () => {
    const quality = QUALITIES.find((name) => name === select.value);
    if (quality) actions.choose(quality);
  });
  return element("section", {}, element("label", { for: "quality" }, STRINGS.quality), select);
}
