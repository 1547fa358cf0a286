/**
 * An approver's signing key, made, sealed and used in this browser only.
 *
 * The private half is sealed with a passphrase (Argon2id, then XChaCha20-Poly1305) before it leaves the page, and the open key is
 * wiped after use. It needs no Web Crypto, which browsers refuse on a LAN without TLS.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, randomBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { fromBase64, toBase64 } from "./base64";

/** OWASP's second Argon2id profile: about a quarter of a second on a desk computer, a second on a phone. */
const KDF = { memory_kib: 19_456, passes: 2, lanes: 1 };
/** What opening accepts, so that a stored blob can neither weaken the seal unnoticed nor hang the browser. */
const KDF_LIMITS = { memory_kib: [19_456, 262_144], passes: [2, 10], lanes: [1, 4] } as const;

export type SealedKey = {
  version: 1;
  public_key: string;
  kdf: { name: "argon2id"; memory_kib: number; passes: number; lanes: number; salt: string };
  cipher: { name: "xchacha20-poly1305"; nonce: string };
  ciphertext: string;
};

export type Envelope = { payloadType: string; payload: string; signatures: { keyid: string; sig: string }[] };

export class WrongPassphrase extends Error {}
export class DamagedKey extends Error {}
/** What would be signed is not what the person sees or heard. */
export class NotWhatIsShown extends Error {}

/** The open key. Wipe it as soon as everything is signed. */
export class OpenKey {
  readonly publicKey: Uint8Array;
  readonly keyId: string;
  #secret: Uint8Array;

  constructor(secret: Uint8Array) {
    this.#secret = secret;
    this.publicKey = ed25519.getPublicKey(secret);
    this.keyId = keyId(this.publicKey);
  }

  sign(message: Uint8Array): Uint8Array {
    if (this.#secret.length === 0) throw new Error("The key was wiped.");
    return ed25519.sign(message, this.#secret);
  }

  wipe(): void {
    this.#secret.fill(0);
    this.#secret = new Uint8Array();
  }

  /** The key sealed again with another passphrase; the key itself stays the same. */
  seal(passphrase: string): Promise<SealedKey> {
    return sealSecret(this.#secret, this.publicKey, passphrase);
  }
}

/** Lower-case hex SHA-256 of the 32 raw bytes. */
export function keyId(publicKey: Uint8Array): string {
  return bytesToHex(sha256(publicKey));
}

export function sha256Hex(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}

export async function makeKey(passphrase: string): Promise<{ public_key_b64: string; sealed: SealedKey; key: OpenKey }> {
  const key = new OpenKey(randomBytes(32));
  return { public_key_b64: toBase64(key.publicKey), sealed: await key.seal(passphrase), key };
}

/** Throws WrongPassphrase, or DamagedKey when the stored blob is not one of ours. */
export async function openKey(sealed: SealedKey, passphrase: string): Promise<OpenKey> {
  checkSealed(sealed);
  const wrapping = await wrappingKey(passphrase, sealed.kdf);
  let secret: Uint8Array;
  try {
    secret = xchacha20poly1305(wrapping, fromBase64(sealed.cipher.nonce), boundTo(sealed)).decrypt(fromBase64(sealed.ciphertext));
  } catch {
    throw new WrongPassphrase();
  } finally {
    wrapping.fill(0);
  }
  const key = new OpenKey(secret);
  if (toBase64(key.publicKey) !== sealed.public_key) {
    key.wipe();
    throw new DamagedKey();
  }
  return key;
}

export async function changePassphrase(sealed: SealedKey, before: string, after: string): Promise<SealedKey> {
  const key = await openKey(sealed, before);
  try {
    return await key.seal(after);
  } finally {
    key.wipe();
  }
}

/** DSSE v1 pre-authentication encoding. */
export function signedBytes(payloadType: string, payload: Uint8Array): Uint8Array {
  const kind = utf8ToBytes(payloadType);
  return concatBytes(utf8ToBytes(`DSSEv1 ${kind.length} `), kind, utf8ToBytes(` ${payload.length} `), payload);
}

export function signPayload(payloadType: string, payload: Uint8Array, key: OpenKey): Envelope {
  const sig = toBase64(key.sign(signedBytes(payloadType, payload)));
  return { payloadType, payload: toBase64(payload), signatures: [{ keyid: key.keyId, sig }] };
}

/** The payload as JSON, after checking that each of `shown` stands in it with exactly that value. Throws NotWhatIsShown. */
export function checkShown(payload: Uint8Array, shown: Record<string, unknown>): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    throw new NotWhatIsShown("payload");
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) throw new NotWhatIsShown("payload");
  const said = document as Record<string, unknown>;
  for (const [field, value] of Object.entries(shown)) if (canonical(said[field]) !== canonical(value)) throw new NotWhatIsShown(field);
  return said;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`).join()}}`;
  }
  return JSON.stringify(value) ?? "undefined";
}

async function sealSecret(secret: Uint8Array, publicKey: Uint8Array, passphrase: string): Promise<SealedKey> {
  const sealed: SealedKey = {
    version: 1,
    public_key: toBase64(publicKey),
    kdf: { name: "argon2id", ...KDF, salt: toBase64(randomBytes(16)) },
    cipher: { name: "xchacha20-poly1305", nonce: toBase64(randomBytes(24)) },
    ciphertext: "",
  };
  const wrapping = await wrappingKey(passphrase, sealed.kdf);
  const cipher = xchacha20poly1305(wrapping, fromBase64(sealed.cipher.nonce), boundTo(sealed));
  sealed.ciphertext = toBase64(cipher.encrypt(secret));
  wrapping.fill(0);
  return sealed;
}

/** Keyboards compose Vietnamese letters differently; the passphrase is the same text all the same. */
function wrappingKey(passphrase: string, kdf: SealedKey["kdf"]): Promise<Uint8Array> {
  const password = utf8ToBytes(passphrase.normalize("NFKC"));
  const options = { m: kdf.memory_kib, t: kdf.passes, p: kdf.lanes, dkLen: 32, asyncTick: 50 };
  return argon2idAsync(password, fromBase64(kdf.salt), options);
}

/** Associated data: the ciphertext opens only with the parameters and the public key that it was sealed with. */
function boundTo({ version, public_key, kdf }: SealedKey): Uint8Array {
  return utf8ToBytes(["loudspeaker-key", version, public_key, kdf.name, kdf.memory_kib, kdf.passes, kdf.lanes, kdf.salt].join("|"));
}

function checkSealed({ version, kdf, cipher }: SealedKey): void {
  const within = (Object.keys(KDF_LIMITS) as (keyof typeof KDF_LIMITS)[]).every((name) => {
    const [least, most] = KDF_LIMITS[name];
    return Number.isInteger(kdf?.[name]) && kdf[name] >= least && kdf[name] <= most;
  });
  if (version !== 1 || kdf?.name !== "argon2id" || cipher?.name !== "xchacha20-poly1305" || !within) throw new DamagedKey();
}
