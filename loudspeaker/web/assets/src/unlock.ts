/** Lends the person's key to one act: asks for the passphrase of a sealed key, or has the device of a passkey ask. */
import { element, every, one } from "./dom";
import { getJson, wordsOf } from "./http";
import { t } from "./i18n";
import { type Passkey, PasskeyRefused, PasskeyUnfit, passkeysWork, signWithPasskey } from "./passkey";
import { DamagedKey, type Envelope, NotWhatIsShown, openKey, type SealedKey, signPayload, WrongPassphrase } from "./signing";

type Registered = {
  id: string;
  public_key: string;
  kind: string;
  sealed: SealedKey | null;
  relying_party: string | null;
  origin: string | null;
  credential_id: string | null;
  revoked_at?: string | null;
};
type Sealed = Registered & { sealed: SealedKey };

/** Signs documents as the person, until its act is over. */
export type Signer = { sign(payloadType: string, payload: Uint8Array): Promise<Envelope> };

export class NoKey extends Error {}
/** The passkey belongs to another address of this server. */
export class OtherPage extends Error {}

/** The person's newest sealed key that was not revoked, of those with the ids `among` where given. Throws NoKey. */
export async function storedKey(among?: string[]): Promise<Sealed> {
  const sealed = (await keys()).filter((key): key is Sealed => key.sealed !== null && (among?.includes(key.id) ?? true));
  const newest = sealed[sealed.length - 1];
  if (!newest) throw new NoKey();
  return newest;
}

/** Opens the dialog `#passphrase`; the act runs with a signer and its failures are told in the dialog. False when left. */
export function withSigner(act: (signer: Signer, tell: (words: string) => void) => Promise<void>, among?: string[]): Promise<boolean> {
  const dialog = one<HTMLDialogElement>("dialog#passphrase");
  const form = one<HTMLFormElement>("form", dialog);
  const field = one<HTMLInputElement>("input[type=password]", form);
  const button = one<HTMLButtonElement>("button:not([type=button])", form);
  const said = one("[data-said]", form);
  said.textContent = "";
  const byDevice = isWithTheDevice();
  void byDevice.then((device) => {
    every("[data-by-device]", form).forEach((part) => (part.hidden = !device));
    every("[data-by-passphrase]", form).forEach((part) => (part.hidden = device));
    field.required = !device;
  });
  dialog.showModal();
  return new Promise((settle) => {
    const finish = (done: boolean): void => {
      form.removeEventListener("submit", attempt);
      dialog.removeEventListener("close", leave);
      field.value = "";
      if (dialog.open) dialog.close();
      settle(done);
    };
    const leave = (): void => finish(false);
    const attempt = async (event: Event): Promise<void> => {
      event.preventDefault();
      if (button.disabled) return;
      button.disabled = true;
      try {
        const tell = (words: string): void => void (said.textContent = words);
        if (await byDevice) await act(await deviceSigner(), tell);
        else {
          tell(t("Opening your key …"));
          await withSealedKey(field.value, (signer) => act(signer, tell), among);
        }
        finish(true);
      } catch (failure) {
        said.replaceChildren(element("span", { class: "error", role: "alert" }, signingWords(failure)));
      } finally {
        button.disabled = false;
      }
    };
    form.addEventListener("submit", attempt);
    dialog.addEventListener("close", leave);
  });
}

export function signingWords(failure: unknown): string {
  if (failure instanceof WrongPassphrase) return t("This passphrase does not open your key. Check the keyboard and try again.");
  if (failure instanceof DamagedKey) return t("The stored key is damaged. Nothing was signed. Make a new signing key.");
  if (failure instanceof NoKey) return t("You have no signing key yet. Make one on your account page first.");
  if (failure instanceof PasskeyRefused) return t("Your device did not sign: it was cancelled, took too long, or does not have this passkey. Try again.");
  if (failure instanceof PasskeyUnfit) return t("This device makes passkeys that the loudspeakers cannot check. Use another device, or a key with a passphrase.");
  if (failure instanceof OtherPage) return t("Your passkey belongs to another address of this server. Open that address to sign.");
  if (failure instanceof NotWhatIsShown)
    return t("What the server offers for signing is not what this page shows (%(field)s). Nothing was signed. Tell the technician.", {
      field: failure.message,
    });
  return wordsOf(failure);
}

/** Whether the key that signs is a passkey: the newest that a browser can sign with decides. */
async function isWithTheDevice(): Promise<boolean> {
  try {
    const usable = (await keys()).filter((key) => key.sealed !== null || key.credential_id !== null);
    return (usable[usable.length - 1]?.credential_id ?? null) !== null;
  } catch {
    return false; // asked again when it signs, and told then
  }
}

async function keys(): Promise<Registered[]> {
  return (await getJson<Registered[]>("/api/v1/me/signing-keys")).filter((key) => !key.revoked_at);
}

/** The key is wiped whatever happens. */
async function withSealedKey(passphrase: string, act: (signer: Signer) => Promise<void>, among?: string[]): Promise<void> {
  const key = await openKey((await storedKey(among)).sealed, passphrase);
  try {
    await act({ sign: async (payloadType, payload) => signPayload(payloadType, payload, key) });
  } finally {
    key.wipe();
  }
}

async function deviceSigner(): Promise<Signer> {
  const own = (await keys()).filter((key) => key.credential_id !== null);
  const { public_key, kind, relying_party, origin, credential_id } = own[own.length - 1] ?? {};
  if (!public_key || !kind || !relying_party || !origin || !credential_id) throw new NoKey();
  if (origin !== location.origin || !passkeysWork()) throw new OtherPage();
  const key: Passkey = { public_key, passkey: { kind, relying_party, origin, credential_id } };
  return { sign: (payloadType, payload) => signWithPasskey(payloadType, payload, key) };
}
