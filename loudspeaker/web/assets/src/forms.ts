/** Forms that cannot be sent twice, and whose input survives an expired session. */
import { every } from "./dom";

const KEPT = "kept-form:";
const NEVER_KEPT = new Set(["password", "file", "hidden"]);

type Kept = { at: number; values: [string, string][] };

export function guardForms(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || event.defaultPrevented) return;
    if (form.dataset["keep"]) keep(form, form.dataset["keep"]);
    if (!("once" in form.dataset)) return;
    if (form.dataset["sent"] !== undefined) {
      event.preventDefault();
      return;
    }
    form.dataset["sent"] = "";
    form.setAttribute("aria-busy", "true");
  });
  // A page that comes back from the browser's memory may be sent again.
  addEventListener("pageshow", () => every<HTMLFormElement>("form[data-sent]").forEach(release));
}

function release(form: HTMLFormElement): void {
  delete form.dataset["sent"];
  form.removeAttribute("aria-busy");
}

function controls(form: HTMLFormElement): (HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement)[] {
  const all = every<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>("input[name], textarea[name], select[name]", form);
  return all.filter((control) => !NEVER_KEPT.has(control.type));
}

function keep(form: HTMLFormElement, name: string): void {
  const values: [string, string][] = [];
  for (const control of controls(form)) {
    if (control instanceof HTMLInputElement && ["checkbox", "radio"].includes(control.type) && !control.checked) continue;
    values.push([control.name, control.value]);
  }
  sessionStorage.setItem(KEPT + name, JSON.stringify({ at: Date.now(), values } satisfies Kept));
}

/**
 * Bring back what was typed when the answer to the form was the sign-in page. The server marks the form that it shows again
 * after that with data-restore; a page that took the input shows no such form, and what was kept is dropped.
 */
export function restoreForms(): void {
  for (const form of every<HTMLFormElement>("form[data-keep]")) {
    const name = KEPT + (form.dataset["keep"] ?? "");
    const stored = sessionStorage.getItem(name);
    if (stored === null) continue;
    if (sessionStorage.getItem("signed-in-again") !== null || "restore" in form.dataset) fill(form, JSON.parse(stored) as Kept);
    sessionStorage.removeItem(name);
  }
  if (document.querySelector("form[data-sign-in]")) sessionStorage.setItem("signed-in-again", "");
  else sessionStorage.removeItem("signed-in-again");
}

function fill(form: HTMLFormElement, { at, values }: Kept): void {
  if (Date.now() - at > 3_600_000) return;
  const wanted = values.map(([name, value]) => `${name}\n${value}`);
  for (const control of controls(form)) {
    if (control instanceof HTMLInputElement && ["checkbox", "radio"].includes(control.type))
      control.checked = wanted.includes(`${control.name}\n${control.value}`);
    else control.value = values.find(([name]) => name === control.name)?.[1] ?? control.value;
  }
}
