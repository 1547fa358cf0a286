/** Dialogs, and acts that want a typed word first. */
import { every } from "./dom";

/** As the server compares (loudspeaker.web.confirmation): case and Vietnamese marks do not count. */
export function bare(text: string): string {
  return text.trim().replace(/[đĐ]/g, "d").normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

export function openDialogs(): void {
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.getAttribute("data-dialog") ?? "");
    if (dialog instanceof HTMLDialogElement) {
      event.preventDefault();
      dialog.showModal();
    }
    if (event.target.closest("[data-close]") || event.target instanceof HTMLDialogElement) event.target.closest("dialog")?.close();
  });
}

export function askForTypedWords(): void {
  document.addEventListener("input", (event) => {
    const form = event.target instanceof HTMLInputElement ? event.target.form : null;
    const word = form?.dataset["confirm"];
    if (!form || word === undefined) return;
    const typed = new FormData(form).get("confirmation");
    const agreed = typeof typed === "string" && bare(typed) === bare(word);
    for (const button of every<HTMLButtonElement>("button:not([type=button])", form)) button.disabled = !agreed;
  });
}
