/** The panel about the others in the scene: how many they are, hiding them, saying something. */

import { button, element } from "./dom";
import { Panel } from "./panel";
import { STRINGS } from "./strings";

export interface PeopleActions {
  /** Hide the others, or show them again. */
  toggle(): void;
  /** Say something to those who are near. */
  say(text: string): void;
}

/** As streaming/limits.py has it. */
const MOST_CHARACTERS = "200";

export class PeoplePanel {
  private readonly panel = new Panel(STRINGS.others);
  private readonly count = element("p", {});
  private readonly hide: HTMLButtonElement;
  private readonly field = element("input", { class: "field", id: "say-text", maxlength: MOST_CHARACTERS, required: "", autocomplete: "off" });

  constructor(actions: PeopleActions) {
    this.hide = button({ label: STRINGS.hideOthers, icon: "people", showsLabel: true, press: () => actions.toggle() });
    const send = button({ label: STRINGS.sayIt, className: "primary", press: () => undefined });
    send.type = "submit";
    const form = element("form", { class: "edit" }, element("label", { for: this.field.id }, STRINGS.sayLabel), this.field, send, this.hide);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      actions.say(this.field.value);
      this.field.value = "";
      this.panel.dialog.close();
    });
    form.addEventListener("keydown", (event) => event.stopPropagation());
    this.panel.fill(this.count, form);
  }

  get dialog(): HTMLDialogElement {
    return this.panel.dialog;
  }

  open(): void {
    if (this.dialog.open) return;
    this.panel.toggle();
    this.field.focus();
  }

  show(count: number, areHidden: boolean): void {
    this.count.textContent = STRINGS.othersHere(count);
    const label = areHidden ? STRINGS.showOthers : STRINGS.hideOthers;
    this.hide.setAttribute("aria-label", label);
    this.hide.setAttribute("aria-pressed", String(areHidden));
    this.hide.title = label;
    const words = this.hide.querySelector("span");
    if (words) words.textContent = label;
  }
}
