// Changes the trust root: has it drawn up by the server, compares it with what was asked for, and signs it with root key files.
import { fromBase64 } from "../base64";
import { every, note, one } from "../dom";
import { sendJson } from "../http";
import { t } from "../i18n";
import { ForeignFile, fromPem } from "../keyfile";
import { checkShown, type Envelope, type OpenKey, signPayload } from "../signing";
import { signingWords } from "../unlock";

type Statement = { payload_type: string; payload: string };

for (const form of every<HTMLFormElement>("form[data-root-change]"))
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = one<HTMLButtonElement>("button:not([type=button])", form);
    button.disabled = true;
    let keys: OpenKey[] = [];
    try {
      keys = await keysOf(one<HTMLInputElement>("input[type=file]", form));
      await change(form, keys);
      location.assign(form.dataset["after"] ?? location.href);
    } catch (failure) {
      note("fault", failure instanceof ForeignFile ? t("This is not a root key file, or it has a passphrase; those are used by `loudspeaker trust`.") : signingWords(failure));
      button.disabled = false;
    } finally {
      keys.forEach((key) => key.wipe());
    }
  });

async function keysOf(input: HTMLInputElement): Promise<OpenKey[]> {
  return (await Promise.all([...(input.files ?? [])].map((file) => file.text()))).map(fromPem);
}

async function change(form: HTMLFormElement, keys: OpenKey[]): Promise<void> {
  const wanted = asked(form);
  const drawn = await sendJson<Statement>("POST", "/api/v1/trust/root/statement", wanted);
  const payload = fromBase64(drawn.payload);
  const { owners_needed, owners_needed_by_kind } = wanted;
  checkShown(payload, { site: form.dataset["site"], version: Number(form.dataset["version"]), owners_needed, owners_needed_by_kind });
  const signatures = keys.flatMap((key) => signPayload(drawn.payload_type, payload, key).signatures);
  const envelope: Envelope = { payloadType: drawn.payload_type, payload: drawn.payload, signatures };
  await sendJson("POST", "/api/v1/trust/root", { envelope });
}

function asked(form: HTMLFormElement): Record<string, unknown> {
  const value = (name: string): string => one<HTMLInputElement | HTMLSelectElement>(`[name=${name}]`, form).value;
  const kinds: Record<string, number> = {};
  for (const field of every<HTMLInputElement>("[data-kind]", form)) if (Number(field.value) > 1) kinds[field.dataset["kind"] ?? ""] = Number(field.value);
  return {
    owners_needed: ["ordinary", "priority", "emergency"].map((name) => Number(value(name))),
    owners_needed_by_kind: kinds,
    add_authority: value("add_authority") || null,
    drop_authority: value("drop_authority") || null,
    new_server_key: one<HTMLInputElement>("[name=new_server_key]", form).checked,
  };
}
