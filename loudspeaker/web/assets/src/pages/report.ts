// The village head's fault form: sends at once, or keeps the report in the phone and sends it when there is a link.
import { one } from "../dom";
import { t } from "../i18n";
import { shrunk } from "../photo";
import { all, put, remove, type Waiting } from "../queue";

const AGAIN_MS = 20_000;

type Answer = "sent" | "offline" | { refused: string };

const form = document.querySelector<HTMLFormElement>("form[data-report]");
let photo: Promise<Blob> | undefined;
let sending = false;

function tell(words: string, fault = false): void {
  const said = one("#said");
  said.textContent = words;
  said.className = fault ? "said fault" : "said";
  said.hidden = words === "";
}

async function post(report: Waiting): Promise<{ answer: Answer; location?: string }> {
  const body = new FormData();
  for (const [name, value] of report.fields) body.append(name, value);
  if (report.photo) body.append("photo", report.photo, "photo.jpg");
  let response: Response;
  try {
    response = await fetch(report.url, { method: "POST", body, headers: { Accept: "application/json", "Idempotency-Key": report.key } });
  } catch {
    return { answer: "offline" };
  }
  if (response.status >= 500) return { answer: "offline" };
  const said = (await response.json().catch(() => ({}))) as { location?: string; title?: string; what_to_do?: string };
  if (response.ok) return said.location ? { answer: "sent", location: said.location } : { answer: "sent" };
  return { answer: { refused: [said.title, said.what_to_do].filter(Boolean).join(" ") || t("The report was not taken. Call the centre.") } };
}

/** Send all that waits, oldest first; the newest one's answer decides where the phone goes. True when it must wait on. */
async function sendWaiting(): Promise<boolean> {
  if (sending) return false;
  sending = true;
  try {
    for (const report of (await all()).sort((a, b) => a.at - b.at)) {
      const { answer, location: next } = await post(report);
      if (answer === "offline") {
        tell(t("No link now. The report is kept in this phone and sends itself when there is one."));
        return true;
      }
      await remove(report.key);
      if (answer !== "sent") {
        tell(answer.refused, true);
        return false;
      }
      if (next && next.startsWith("/")) {
        location.assign(next);
        return false;
      }
      tell(t("The report has been sent. Thank you."));
      form?.reset();
    }
    return false;
  } finally {
    sending = false;
    if (form) one<HTMLButtonElement>(".send", form).disabled = false;
  }
}

function choosePhoto(chosen: HTMLInputElement): void {
  const file = chosen.files?.[0];
  photo = file && shrunk(file);
  const shot = one<HTMLImageElement>("img.shot");
  shot.hidden = !file;
  if (photo) void photo.then((small) => (shot.src = URL.createObjectURL(small)));
}

async function submit(event: Event): Promise<void> {
  event.preventDefault();
  if (!form) return;
  one<HTMLButtonElement>(".send", form).disabled = true;
  const fields = [...new FormData(form)].filter((entry): entry is [string, string] => typeof entry[1] === "string");
  const key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  tell(t("Sending …"));
  await put({ key, url: form.action, fields, photo: photo ? await photo : null, at: Date.now() });
  if (await sendWaiting()) clear(form);
}

/** The report lies in the phone: a second press must not make a second one. */
function clear(sent: HTMLFormElement): void {
  sent.reset();
  photo = undefined;
  one<HTMLImageElement>("img.shot", sent).hidden = true;
}

if (form) {
  form.addEventListener("submit", (event) => void submit(event));
  form.querySelector<HTMLInputElement>("input[type=file]")?.addEventListener("change", (event) => choosePhoto(event.target as HTMLInputElement));
}
addEventListener("online", () => void sendWaiting());
setInterval(() => void all().then((waiting) => (waiting.length ? void sendWaiting() : undefined)), AGAIN_MS);
void sendWaiting();
