/** Asks for the signing passphrase once and lends the open key to one act; the key is wiped whatever happens. */
import { element, one } from "./dom";
import { getJson, wordsOf } from "./http";
import { t } from "./i18n";
import { DamagedKey, NotWhatIsShown, openKey, type OpenKey, type SealedKey, WrongPassphrase } from "./signing";

type StoredKey = { id: string; public_key: string; sealed: SealedKey | null; revoked_at?: string | null };

export class NoKey extends Error {}

/** The person's newest sealed key that was not revoked. Throws NoKey. */
export async function storedKey(): Promise<StoredKey & { sealed: SealedKey }> {
  const keys = await getJson<StoredKey[]>("/api/v1/me/signing-keys");
  const usable = keys.filter((key): key is StoredKey & { sealed: SealedKey } => key.sealed !== null && !key.revoked_at);
  const newest = usable[usable.length - 1];
  if (!newest) throw new NoKey();
  return newest;
}

/** Opens the dialog `#passphrase`; the act runs with the open key and its failures are told in the dialog. False when left. */
export function withOpenKey(act: (key: OpenKey, tell: (words: string) => void) => Promise<void>): Promise<boolean> {
  const dialog = one<HTMLDialogElement>("dialog#passphrase");
  const form = one<HTMLFormElement>("form", dialog);
  const field = one<HTMLInputElement>("input[type=password]", form);
  const button = one<HTMLButtonElement>("button:not([type=button])", form);
  const said = one("[data-said]", form);
  said.textContent = "";
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
      said.textContent = t("Opening your key …");
      try {
        const key = await openKey((await storedKey()).sealed, field.value);
        try {
          await act(key, (words) => (said.textContent = words));
        } finally {
          key.wipe();
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
  if (failure instanceof NotWhatIsShown)
    return t("What the server offers for signing is not what this page shows (%(field)s). Nothing was signed. Tell the technician.", {
      field: failure.message,
    });
  return wordsOf(failure);
}
