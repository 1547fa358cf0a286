// The first run: makes the root key, which goes into a file, and the authority's key, which is sealed; signs the first root.
import { randomBytes } from "@noble/hashes/utils.js";
import { fromBase64, toBase64 } from "../base64";
import { note, one } from "../dom";
import { postOpen } from "../http";
import { t } from "../i18n";
import { save, toPem } from "../keyfile";
import { newPassphrase, watchPassphrase } from "../newpassphrase";
import { checkShown, makeKey, NotWhatIsShown, OpenKey, signPayload } from "../signing";
import { signingWords } from "../unlock";

type Statement = { payload_type: string; payload: string };

const form = one<HTMLFormElement>("form#setup");
const button = form.querySelector<HTMLButtonElement>("button[data-save-root]");
if (button) ask(button);

function ask(button: HTMLButtonElement): void {
  const secret = randomBytes(32);
  let saved = false;
  watchPassphrase(form);
  button.addEventListener("click", () => {
    save(button.dataset["file"] ?? "loudspeaker-root.pem", toPem(secret));
    saved = true;
    one("[data-saved]", form).textContent = t("Saved. Put it on a USB stick, lock it away, and delete it from this computer.");
  });
  form.addEventListener("submit", (event) => {
    if (one<HTMLInputElement>("input[name=root]", form).value !== "") return;
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return;
    event.stopPropagation();
    const chosen = newPassphrase(form);
    if ("wrong" in chosen) return note("fault", chosen.wrong);
    if (!saved) return note("fault", t("Save the key file first. Without it nobody can replace lost or stolen keys later."));
    form.setAttribute("aria-busy", "true");
    sign(secret, chosen.passphrase)
      .catch((failure: unknown) => note("fault", signingWords(failure)))
      .finally(() => form.removeAttribute("aria-busy"));
  });
}

/** Makes and seals the authority's key, has the root drawn up, signs it and sends the form. */
async function sign(secret: Uint8Array, passphrase: string): Promise<void> {
  const root = new OpenKey(secret.slice());
  const { public_key_b64: authority, sealed, key } = await makeKey(passphrase);
  key.wipe();
  try {
    const mine = toBase64(root.publicKey);
    const drawn = await postOpen<Statement>("/api/v1/setup/root", { root_key: mine, authority_key: authority });
    const payload = fromBase64(drawn.payload);
    const said = checkShown(payload, { version: 1, root_keys: [mine], root_threshold: 1 });
    const listing = said["place_authorities"] as { public_key?: string }[] | undefined;
    if (listing?.length !== 1 || listing[0]?.public_key !== authority) throw new NotWhatIsShown("place_authorities");
    one<HTMLInputElement>("input[name=root]", form).value = JSON.stringify(signPayload(drawn.payload_type, payload, root));
    one<HTMLInputElement>("input[name=authority]", form).value = JSON.stringify({ public_key: authority, sealed });
  } finally {
    root.wipe();
  }
  form.requestSubmit();
}
