// The approver's sheet: listen to the end, then one passphrase signs all that was heard.
import { fromBase64 } from "../base64";
import { every, one } from "../dom";
import { getJson, sendJson } from "../http";
import { t, tn } from "../i18n";
import { Player } from "../player";
import { checkShown } from "../signing";
import { type Signer, withSigner } from "../unlock";

type Statement = { payload_type: string; payload: string };

const STATEMENT = "application/vnd.loudspeaker.recording-statement+json";
const roots = every("[data-player]");
const players = roots.map((root) => new Player(root, showProgress));
const signBar = document.querySelector<HTMLElement>("[data-signbar]");

for (const player of players)
  player.root.querySelector("audio")?.addEventListener("play", () => players.filter((other) => other !== player).forEach((other) => other.pause()));

function heard(): Player[] {
  return players.filter((player) => player.complete && "sign" in player.root.dataset);
}

function showProgress(): void {
  if (!signBar) return;
  const toSign = players.filter((player) => "sign" in player.root.dataset).length;
  const ready = heard().length;
  one<HTMLButtonElement>("[data-sign]", signBar).disabled = ready === 0 || ready < toSign;
  const progress = one("[data-progress]", signBar);
  if (ready === toSign) progress.textContent = tn("Heard to the end. One passphrase signs it.", "All %(n)s heard to the end. One passphrase signs them all.", ready);
  else progress.textContent = t("Heard %(heard)s of %(all)s. Listen to the end to sign for all at once.", { heard: ready, all: toSign });
}

async function sign(player: Player, signer: Signer): Promise<void> {
  await player.verify();
  const statement = await getJson<Statement>(`/api/v1/recordings/${player.id}/statement`);
  const payload = fromBase64(statement.payload);
  checkShown(payload, { recording: player.sha256, title: player.title, duration_ms: player.durationMs });
  const envelope = await signer.sign(STATEMENT, payload);
  await sendJson("POST", `/api/v1/recordings/${player.id}/approvals`, { envelope });
  delete player.root.dataset["sign"];
}

if (signBar) {
  one<HTMLButtonElement>("[data-sign]", signBar).addEventListener("click", async () => {
    players.forEach((player) => player.pause());
    const waiting = heard();
    const signed = await withSigner(async (signer, tell) => {
      for (const [i, player] of waiting.entries()) {
        tell(t("Signing %(number)s of %(all)s …", { number: i + 1, all: waiting.length }));
        if ("sign" in player.root.dataset) await sign(player, signer);
      }
    });
    if (signed) location.assign(signBar.dataset["after"] ?? location.href);
    else showProgress();
  });
  showProgress();
}
