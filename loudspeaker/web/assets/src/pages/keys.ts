// "Make my signing key" and "change my passphrase".
import { every, note, one } from "../dom";
import { sendJson } from "../http";
import { newPassphrase, watchPassphrase } from "../newpassphrase";
import { makePasskey, passkeysWork, signWithPasskey } from "../passkey";
import { changePassphrase, makeKey, signPayload } from "../signing";
import { signingWords, storedKey } from "../unlock";

const PROOF = "application/vnd.loudspeaker.key-proof+json";

function field(form: HTMLFormElement, name: string): HTMLInputElement {
  return one<HTMLInputElement>(`input[name=${name}]`, form);
}

function onSubmit(form: HTMLFormElement, act: () => Promise<void>): void {
  const button = one<HTMLButtonElement>("button:not([type=button])", form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const chosen = newPassphrase(form);
    if ("wrong" in chosen) return note("fault", chosen.wrong);
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
  watchPassphrase(form);
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

/** Made by the device, then used once to prove that it is held. */
async function makeByDevice(button: HTMLButtonElement): Promise<void> {
  const { user = "", name = "", after = location.href } = button.dataset;
  const made = await makePasskey(user, name);
  const { kind, relying_party, origin } = made.passkey;
  const said = { user, public_key: made.public_key, kind, relying_party, origin };
  const proof = await signWithPasskey(PROOF, new TextEncoder().encode(JSON.stringify(said)), made);
  await sendJson("POST", "/api/v1/me/signing-keys", { ...made, proof });
  location.assign(after);
}

for (const button of every<HTMLButtonElement>("button[data-make-passkey]")) {
  const works = passkeysWork();
  button.disabled = !works;
  for (const hint of every("[data-passkeys-need-https]")) hint.hidden = works;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await makeByDevice(button);
    } catch (failure) {
      note("fault", signingWords(failure));
      button.disabled = false;
    }
  });
}

async function change(form: HTMLFormElement): Promise<void> {
  const stored = await storedKey();
  const sealed = await changePassphrase(stored.sealed, field(form, "before").value, field(form, "passphrase").value);
  await sendJson("PUT", `/api/v1/me/signing-keys/${stored.id}`, { sealed });
}

for (const form of every<HTMLFormElement>("form[data-make-key]")) onSubmit(form, () => make(form));
for (const form of every<HTMLFormElement>("form[data-change-passphrase]")) onSubmit(form, () => change(form));
