// Holds the vectors to an implementation that shares nothing with ours: signatures, chain, blocks and tokens by Node.
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const folder = process.argv[2];
const read = (name) => JSON.parse(readFileSync(`${folder}/${name}`, "utf8"));
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");
const failures = [];
const must = (what, holds) => { if (!holds) failures.push(what); };

const SPKI = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410: an Ed25519 public key
const context = read("context.json");
const keys = {};
for (const [name, { public: pub }] of Object.entries(context.keys)) {
  const raw = Buffer.from(pub, "base64");
  keys[sha256(raw)] = { name, key: createPublicKey({ key: Buffer.concat([SPKI, raw]), format: "der", type: "spki" }) };
}

function signers(envelope) {
  const payload = Buffer.from(envelope.payload, "base64");
  const type = Buffer.from(envelope.payloadType);
  const covered = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
  return envelope.signatures
    .filter(({ keyid, sig }) => keys[keyid] && verify(null, covered, keys[keyid].key, Buffer.from(sig, "base64")))
    .map(({ keyid }) => keys[keyid].name);
}

const RIGHTFUL = { "trust-root": ["root"], "approver-list": ["leader"], policy: ["hoa"],
  "recording-statement": ["hoa", "binh"], "software-manifest": ["software"] };
const BY_SIGNATURE = new Set(["bad_signature", "foreign_key"]);
let judged = 0;
for (const { document, name, expected, raw } of read("documents.json")) {
  if (expected === "malformed") continue;
  const held = signers(JSON.parse(Buffer.from(raw, "base64").toString()));
  const rightful = held.some((one) => (RIGHTFUL[document] ?? ["server"]).includes(one));
  if (expected === "accepted") must(`${document}, ${name}: nobody signed it`, rightful);
  if (BY_SIGNATURE.has(expected)) must(`${document}, ${name}: ${held} signed it`, !rightful);
  judged += 1;
}

const journal = read("journal.json");
let previous = journal.first_previous;
journal.entries.forEach((text, at) => {
  previous = sha256(previous, text);
  must(`hash of entry ${at + 1}`, previous === journal.hashes[at]);
});
for (const { name, raw } of journal.batches) {
  must(`batch ${name}`, signers(JSON.parse(Buffer.from(raw, "base64").toString())).includes("node"));
}

const said = read("messages.json");
const listed = Object.keys(said.policies).sort().map((place) => `${place}=${said.policies[place]}`).join(";");
must("digest of the policies", sha256(listed).slice(0, 8) === said.policies_digest);
for (const beat of said.heartbeats) must(beat, Buffer.byteLength(beat) <= said.longest_heartbeat_bytes);

for (const block of read("blocks.json")) {
  const raw = Buffer.from(block.raw, "base64");
  const good = raw.length >= 12 && raw.length <= 12 + 65536
    && raw.readUInt32BE(4) + raw.length - 12 <= raw.readUInt32BE(8);
  must(`block ${block.raw.slice(0, 16)}`, good === (block.ask !== null));
  if (good) must("fields of a block", raw.readUInt32BE(0) === block.ask && raw.readUInt32BE(4) === block.offset
    && raw.readUInt32BE(8) === block.total && raw.subarray(12).toString("base64") === block.data);
}

for (const { asked_mono, came_mono, received, sent, time, at_mono, error_s } of read("time.json")) {
  const inside = (Date.parse(sent) - Date.parse(received)) / 1000;
  const error = Math.max(0, (came_mono - asked_mono - inside) / 2);
  must("time", Math.abs(error - error_s) < 1e-6 && at_mono === (asked_mono + came_mono) / 2
    && Date.parse(time) === (Date.parse(received) + Date.parse(sent)) / 2);
}

const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
function token(text) {
  const typed = text.replace(/[\s-]/g, "").toUpperCase().replace(/O/g, "0").replace(/[IL]/g, "1");
  let bits = "";
  for (const letter of typed) {
    if (!LETTERS.includes(letter)) return null;
    bits += LETTERS.indexOf(letter).toString(2).padStart(5, "0");
  }
  const raw = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const content = raw.subarray(0, -2);
  if (raw.length < 30 || createHash("sha256").update(content).digest().compare(raw, raw.length - 2, raw.length, 0, 2)) return null;
  const own = content[0] & 1 ? 16 : 0;
  return { server: `${content[0] & 2 ? "http" : "https"}://${content.subarray(27 + own)}`,
    secret: content.subarray(1, 11).toString("hex"), root: content.subarray(11, 27).toString("hex"),
    authority: own ? content.subarray(27, 43).toString("hex") : null };
}
for (const { text, ...expected } of read("tokens.json")) {
  const told = token(text);
  must(`token ${text.slice(0, 20)}`, expected.server === null ? told === null
    : told !== null && Object.keys(expected).every((name) => told[name] === expected[name]));
}

console.log(JSON.stringify({ judged, failures }));
