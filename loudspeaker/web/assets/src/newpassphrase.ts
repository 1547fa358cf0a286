/** The two fields of a new signing passphrase (`passphrase`, `again`), and how hard it is to guess. */
import { element, one } from "./dom";
import { t } from "./i18n";
import { SHORTEST, strength } from "./passphrase";

function field(form: HTMLFormElement, name: string): HTMLInputElement {
  return one<HTMLInputElement>(`input[data-${name}]`, form);
}

export function watchPassphrase(form: HTMLFormElement): void {
  const hint = form.querySelector<HTMLElement>("[data-strength]");
  field(form, "passphrase").addEventListener("input", (event) => {
    const level = strength((event.target as HTMLInputElement).value);
    const [tone, words] = {
      weak: ["fault", t("Too easy to guess: four or more words that only you put together")] as const,
      fair: ["warn", t("Fair; one more word makes it strong")] as const,
      strong: ["good", t("Strong")] as const,
    }[level];
    hint?.replaceChildren(element("span", { class: "st" }, element("i", { class: `dot ${tone}`, "aria-hidden": "true" }), words));
  });
}

/** The passphrase, or what is wrong with it. */
export function newPassphrase(form: HTMLFormElement): { passphrase: string } | { wrong: string } {
  const passphrase = field(form, "passphrase").value;
  if (passphrase !== field(form, "again").value) return { wrong: t("The two passphrases differ. Type both again.") };
  if (strength(passphrase) === "weak")
    return { wrong: t("This passphrase is too easy to guess. Use at least %(n)s characters, best four words.", { n: SHORTEST }) };
  return { passphrase };
}
