/** The panel of whoever holds an edit link: title, notes, where visitors begin, sound, visibility. */

import type { SceneSummary, Visibility } from "../protocol/link";
import type { SceneChange } from "../share/actions";
import { button, element } from "./dom";
import { STRINGS } from "./strings";

export interface EditActions {
  save(change: SceneChange): void;
  /** Where the visitor stands now becomes where others begin. */
  beginHere(): void;
}

const VISIBILITIES: readonly Visibility[] = ["private", "unlisted", "public"];

export function editContent(scene: SceneSummary, actions: EditActions): Node[] {
  const title = element("input", { class: "field", id: "edit-title", maxlength: "200", required: "" });
  title.value = scene.title;
  const notes = element("textarea", { class: "field", id: "edit-notes", rows: "4", maxlength: "4000" });
  notes.value = scene.notes;
  const visibility = element("select", { class: "field", id: "edit-visibility" });
  for (const name of VISIBILITIES) {
    visibility.append(element("option", { value: name }, STRINGS.visibilities[name]));
  }
  visibility.value = scene.visibility;
  const sound = element("select", { class: "field", id: "edit-sound" });
  sound.append(
    element("option", { value: "" }, STRINGS.soundAsIs),
    element("option", { value: "on" }, STRINGS.soundOn),
    element("option", { value: "off" }, STRINGS.soundOff),
  );
  const save = button({ label: STRINGS.save, className: "primary", press: () => undefined });
  save.type = "submit";
  const form = element(
    "form",
    { class: "edit" },
    ...labelled(STRINGS.editTitle, title),
    ...labelled(STRINGS.editNotes, notes),
    ...labelled(STRINGS.editSound, sound),
    ...labelled(STRINGS.editVisibility, visibility),
    save,
    button({ label: STRINGS.beginHere, icon: "home", showsLabel: true, press: () => actions.beginHere() }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    actions.save({
      title: title.value,
      notes: notes.value,
      visibility: visibility.value as Visibility,
      ...(sound.value ? { has_sound: sound.value === "on" } : {}),
    });
  });
  form.addEventListener("keydown", (event) => event.stopPropagation());
  return [form];
}

function labelled(words: string, field: HTMLElement): [HTMLElement, HTMLElement] {
  return [element("label", { for: field.id }, words), field];
}
