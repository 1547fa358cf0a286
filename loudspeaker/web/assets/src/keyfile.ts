/** Key files: an Ed25519 private key as PKCS 8 in PEM, as `openssl` and `loudspeaker trust` read and write them. */
import { fromBase64, toBase64 } from "./base64";
import { OpenKey } from "./signing";

/** What stands before the 32 bytes of the key in PKCS 8 (RFC 8410). */
const PREFIX = Uint8Array.of(0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20);
const LENGTH = PREFIX.length + 32;

/** The file has a passphrase, or is no such key. */
export class ForeignFile extends Error {}

export function toPem(secret: Uint8Array): string {
  const whole = new Uint8Array(LENGTH);
  whole.set(PREFIX);
  whole.set(secret, PREFIX.length);
  return `-----BEGIN PRIVATE KEY-----\n${toBase64(whole)}\n-----END PRIVATE KEY-----\n`;
}

/** The key in a file; wipe it after use. Throws ForeignFile. */
export function fromPem(text: string): OpenKey {
  const body = /-----BEGIN PRIVATE KEY-----([\sA-Za-z0-9+/=]+)-----END PRIVATE KEY-----/.exec(text)?.[1];
  if (body === undefined) throw new ForeignFile();
  const raw = fromBase64(body.replace(/\s/g, ""));
  if (raw.length !== LENGTH || PREFIX.some((byte, i) => raw[i] !== byte)) throw new ForeignFile();
  return new OpenKey(raw.slice(PREFIX.length));
}

/** Hands a text to the person as a file to keep. */
export function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "application/x-pem-file" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
