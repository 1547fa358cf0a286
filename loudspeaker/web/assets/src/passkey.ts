/**
 * A passkey as signing key: the person's device signs the hash of a document, after a finger, a face or a PIN.
 *
 * Browsers know passkeys only on https pages and on this very machine. What `sig` carries is told in docs/protocol.md.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, randomBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { toBase64 } from "./base64";
import { type Envelope, keyId, signedBytes } from "./signing";

const ES256 = -7;
const EDDSA = -8;
const AUTHENTICATOR_BYTES = 37;
const POINT_BYTES = 65;
const ED25519_BYTES = 32;
const PATIENCE_MS = 120_000;

export type Passkey = {
  public_key: string;
  passkey: { kind: string; relying_party: string; origin: string; credential_id: string };
};

/** The device was not asked, said no, or nobody answered. */
export class PasskeyRefused extends Error {}
/** This device or browser makes passkeys that the loudspeakers cannot check. */
export class PasskeyUnfit extends Error {}

export function passkeysWork(): boolean {
  return window.isSecureContext && "PublicKeyCredential" in window && "credentials" in navigator;
}

/** A new passkey of this page, for the person called `name`. Throws PasskeyRefused, PasskeyUnfit. */
export async function makePasskey(user: string, name: string): Promise<Passkey> {
  const made = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        rp: { id: location.hostname, name: location.hostname },
        user: { id: own(utf8ToBytes(user)), name, displayName: name },
        challenge: own(randomBytes(32)),
        pubKeyCredParams: [
          { type: "public-key", alg: ES256 },
          { type: "public-key", alg: EDDSA },
        ],
        authenticatorSelection: { userVerification: "required", residentKey: "preferred" },
        attestation: "none",
        timeout: PATIENCE_MS,
      },
    }),
  );
  const response = made.response as AuthenticatorAttestationResponse;
  const algorithm = response.getPublicKeyAlgorithm?.();
  const spki = response.getPublicKey?.();
  if (!spki || (algorithm !== ES256 && algorithm !== EDDSA)) throw new PasskeyUnfit();
  const raw = new Uint8Array(spki).slice(-(algorithm === ES256 ? POINT_BYTES : ED25519_BYTES));
  const kind = algorithm === ES256 ? "passkey-es256" : "passkey-ed25519";
  const where = { relying_party: location.hostname, origin: location.origin, credential_id: toBase64Url(new Uint8Array(made.rawId)) };
  return { public_key: toBase64(raw), passkey: { kind, ...where } };
}

/** `payload` signed by the device that has `key`. Throws PasskeyRefused, PasskeyUnfit. */
export async function signWithPasskey(payloadType: string, payload: Uint8Array, key: Passkey): Promise<Envelope> {
  const answer = await asked(() =>
    navigator.credentials.get({
      publicKey: {
        challenge: own(sha256(signedBytes(payloadType, payload))),
        rpId: key.passkey.relying_party,
        allowCredentials: [{ type: "public-key", id: own(fromBase64Url(key.passkey.credential_id)) }],
        userVerification: "required",
        timeout: PATIENCE_MS,
      },
    }),
  );
  const response = answer.response as AuthenticatorAssertionResponse;
  const authenticatorData = new Uint8Array(response.authenticatorData);
  if (authenticatorData.length !== AUTHENTICATOR_BYTES) throw new PasskeyUnfit();
  const given = new Uint8Array(response.signature);
  const signature = key.passkey.kind === "passkey-es256" ? plainEs256(given) : given;
  const sig = concatBytes(signature, authenticatorData, new Uint8Array(response.clientDataJSON));
  const keyid = keyId(Uint8Array.from(atob(key.public_key), (letter) => letter.charCodeAt(0)));
  return { payloadType, payload: toBase64(payload), signatures: [{ keyid, sig: toBase64(sig) }] };
}

/** r ‖ s, 32 bytes each, from the DER that browsers give. */
export function plainEs256(der: Uint8Array): Uint8Array {
  const plain = new Uint8Array(64);
  let at = 2;
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0;
    const number = der.slice(at + 2, at + 2 + length);
    const digits = number.slice(Math.max(0, number.length - 32));
    plain.set(digits, end - digits.length);
    at += 2 + length;
  }
  return plain;
}

async function asked(act: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let answer: Credential | null;
  try {
    answer = await act();
  } catch (failure) {
    if (failure instanceof DOMException) throw new PasskeyRefused(failure.name);
    throw failure;
  }
  if (!(answer instanceof PublicKeyCredential)) throw new PasskeyRefused("none");
  return answer;
}

function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function fromBase64Url(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
}

/** A copy with a buffer of its own, as the browser's types want it. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
