/** The form by which a visitor says that a place must not be shown. */

import { REPORT_REASONS, type Report, type ReportReason } from "../share/actions";
import { button, element } from "./dom";
import { STRINGS } from "./strings";

/** Hands a report on and returns its number; throws what the visitor is told. */
export type SendReport = (report: Report) => Promise<string>;

export function reportContent(send: SendReport): Node[] {
  const reason = element("select", { class: "field", id: "report-reason", required: "" });
  for (const name of REPORT_REASONS) reason.append(element("option", { value: name }, STRINGS.reportReasons[name]));
  const statement = element("textarea", { class: "field", id: "report-statement", rows: "5", maxlength: "4000", required: "" });
  const contact = element("input", { class: "field", id: "report-contact", maxlength: "200", autocomplete: "email" });
  const answer = element("p", { class: "detail", role: "status" });
  const submit = button({ label: STRINGS.reportSend, className: "primary", press: () => undefined });
  submit.type = "submit";
  const form = element(
    "form",
    { class: "edit" },
    element("p", {}, STRINGS.reportWhat),
    ...labelled(STRINGS.reportReason, reason),
    ...labelled(STRINGS.reportStatement, statement),
    ...labelled(STRINGS.reportContact, contact),
    submit,
    answer,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit.disabled = true;
    send({ reason: reason.value as ReportReason, statement: statement.value, contact: contact.value || undefined }).then(
      (id) => form.replaceChildren(element("p", { role: "status" }, STRINGS.reported(id))),
      (error: unknown) => {
        submit.disabled = false;
        answer.textContent = STRINGS.actionFailed(String(error));
      },
    );
  });
  form.addEventListener("keydown", (event) => event.stopPropagation());
  return [form];
}

function labelled(words: string, field: HTMLElement): [HTMLElement, HTMLElement] {
  return [element("label", { for: field.id }, words), field];
}
