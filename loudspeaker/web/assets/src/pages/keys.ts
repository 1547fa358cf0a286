// "Make my signing key" and "change my passphrase".
import { element, every, note, one } from "../dom";
import { sendJson } from "../http";
import { t } from "../i18n";
import { SHORTEST, strength } from "../passphrase";
import { changePassphrase, makeKey, signPayload } from "../signing";
import { signingWords, storedKey } from "../unlock";

const PROOF = "application/vnd.loudspeaker.key-proof+json";

function field(form: HTMLFormElement, name: string): HTMLInputElement {
  return one<HTMLInputElement>(`input[name=${name}]`, form);
}

function watchStrength(form: HTMLFormElement): void {
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

/** What is wrong with the two fields, if anything. */
function complaint(form: HTMLFormElement): string | undefined {
  const passphrase = field(form, "passphrase").value;
  if (passphrase !== field(form, "again").value) return t("The two passphrases differ. Type both again.");
  if (strength(passphrase) === "weak") return t("This passphrase is too easy to guess. Use at least %(n)s characters, best four words.", { n: SHORTEST });
  return undefined;
}

function onSubmit(form: HTMLFormElement, act: () => Promise<void>): void {
  const button = one<HTMLButtonElement>("button:not([type=button])", form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = complaint(form);
    if (wrong) return note("fault", wrong);
    button.disabled = true;
    try {
      await act();
      form.reset();
      location.assign(form.dataset["after"] ?? location.href);
    } catch (failure) {
      note("fault", signingWords(failure));
      button.disabled = false;
    }
  });
  watchStrength(form);
}

async function make(form: HTMLFormElement): Promise<void> {
  const { public_key_b64: public_key, sealed, key } = await makeKey(field(form, "passphrase").value);
  try {
    const payload = new TextEncoder().encode(JSON.stringify({ user: form.dataset["user"] ?? "", public_key }));
    const proof = signPayload(PROOF, payload, key);
    await sendJson("POST", "/api/v1/me/signing-keys", { public_key, sealed, proof });
  } finally {
    key.wipe();
  }
}

async function change(form: HTMLFormElement): Promise<void> {
  const stored = await storedKey();
  const sealed = await changePassphrase(stored.sealed, field(form, "before").value, field(form, "passphrase").value);
  await sendJson("PUT", `/api/v1/me/signing-keys/${stored.id}`, { sealed });
}

for (const form of every<HTMLFormElement>("form[data-make-key]")) onSubmit(form, () => make(form));
for (const form of every<HTMLFormElement>("form[data-change-passphrase]")) onSubmit(form, () => change(form));
