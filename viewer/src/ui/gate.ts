/** Cards that ask for one line before there is a scene: a link's password, or a headset's code. */

import { button, element } from "./dom";

export interface GateWords {
  readonly title: string;
  readonly text: string;
  readonly label: string;
  readonly submit: string;
}

export interface GateOptions {
  readonly kind: "password" | "code";
  readonly words: GateWords;
  /** Said under the field, when an earlier answer was wrong. */
  readonly problem?: string;
  readonly submit: (answer: string) => void;
}

/** Return a card; it stays until its owner removes it. */
export function gate(options: GateOptions): HTMLElement {
  const { words, kind } = options;
  const field = element("input", {
    type: kind === "password" ? "password" : "text",
    id: "gate-field",
    class: `field ${kind}`,
    autocomplete: kind === "password" ? "current-password" : "one-time-code",
    autocapitalize: kind === "code" ? "characters" : "off",
    spellcheck: "false",
    maxlength: kind === "code" ? "12" : "200",
    required: "",
  });
  const press = button({ label: words.submit, className: "primary", press: () => undefined });
  press.type = "submit";
  const problem = element("p", { class: "detail", role: "alert" }, options.problem ?? "");
  const form = element(
    "form",
    { class: "card", "aria-labelledby": "gate-title", "data-gate": kind },
    element("h2", { id: "gate-title" }, words.title),
    element("p", {}, words.text),
    element("label", { for: "gate-field" }, words.label),
    field,
    problem,
    press,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    press.disabled = true;
    options.submit(field.value);
  });
  // Keys that are typed here must not walk.
  form.addEventListener("keydown", (event) => event.stopPropagation());
  queueMicrotask(() => field.focus());
  return element("div", { class: "card-ground" }, form);
}
