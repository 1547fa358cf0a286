// The programme form: rows of recordings move up and down, a new empty row comes when the last is used, unused days rest.
import { every, one } from "../dom";

const list = document.querySelector<HTMLElement>("[data-items]");
const form = list?.closest("form");

function rows(): HTMLElement[] {
  return list ? every("[data-item]", list) : [];
}

function chosen(row: HTMLElement): string {
  return one<HTMLSelectElement>("select", row).value;
}

function keepAnEmptyRow(): void {
  const last = rows().at(-1);
  if (!last || chosen(last) === "") return;
  const next = last.cloneNode(true) as HTMLElement;
  one<HTMLSelectElement>("select", next).value = "";
  last.after(next);
}

function move(row: HTMLElement, step: -1 | 1): void {
  const all = rows();
  const other = all[all.indexOf(row) + step];
  if (!other) return;
  if (step < 0) other.before(row);
  else other.after(row);
}

list?.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest<HTMLButtonElement>("[data-up], [data-down]") : null;
  const row = button?.closest<HTMLElement>("[data-item]");
  if (!button || !row) return;
  move(row, "up" in button.dataset ? -1 : 1);
  button.focus();
});
list?.addEventListener("change", keepAnEmptyRow);
for (const button of list ? every<HTMLButtonElement>("[data-up], [data-down]", list) : []) button.hidden = false;

function restUnusedDays(): void {
  const repeat = form ? new FormData(form).get("repeat") : null;
  for (const box of form ? every<HTMLInputElement>("input[name=weekday]", form) : []) box.disabled = repeat !== "weekly";
  for (const name of ["last_day", "left_out"]) {
    const field = form?.querySelector<HTMLInputElement>(`input[name=${name}]`);
    if (field) field.disabled = repeat === "once";
  }
}

form?.addEventListener("change", restUnusedDays);
restUnusedDays();
document.getElementById("check")?.scrollIntoView({ block: "nearest" });
