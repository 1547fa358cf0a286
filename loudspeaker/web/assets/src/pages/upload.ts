// Sends audio files: drag and drop, several at once, going on after a lost link; then follows the processing.
import { type DetailedError, Upload } from "tus-js-client";
import { element, every, one } from "../dom";
import { asProblem, csrfToken, getJson, Problem, sendJson, wordsOf } from "../http";
import { t } from "../i18n";

type Recording = { id: string; state: string; step: string; progress: number; can_retry?: boolean; error?: { title: string; what_was_kept?: string; what_to_do?: string } | null };

const CHUNK = 4 * 1024 * 1024;
const RETRY_MS = [0, 1000, 3000, 5000, 10_000, 20_000, 30_000, 60_000, 60_000, 60_000];
const POLL_MS = 1000;

function stepWords(step: string): string {
  const words: Record<string, string> = {
    queued: t("waiting for its turn"),
    speak: t("the machine is speaking the text"),
    probe: t("checking the file"),
    decode: t("reading the sound"),
    level: t("levelling loudness"),
    store: t("storing the recording"),
  };
  return words[step] ?? t("preparing the recording");
}

/** One line per file: name, bar, what happens now. */
class Line {
  readonly item = element("li", { class: "sending" });
  readonly #bar = element("progress", { class: "bar", max: "1", value: "0" });
  readonly #said = element("div", { class: "sub", role: "status" });

  constructor(list: HTMLElement, name: string) {
    this.#bar.setAttribute("aria-label", name);
    this.item.append(element("div", { class: "name" }, element("b", {}, name)), this.#bar, this.#said);
    list.append(this.item);
  }

  tell(words: string, done?: number): void {
    this.#said.textContent = words;
    if (done !== undefined) this.#bar.value = done;
  }

  fail(words: string, again: () => void): void {
    const button = element("button", { type: "button", class: "btn" }, t("Try again"));
    button.addEventListener("click", () => {
      button.remove();
      again();
    });
    this.#said.replaceChildren(element("span", { class: "error", role: "alert" }, words), " ", button);
  }

  end(tone: "good" | "fault", words: string): void {
    this.#bar.hidden = true;
    this.#said.replaceChildren(element("span", { class: "st" }, element("i", { class: `dot ${tone}`, "aria-hidden": "true" }), words));
  }
}

function percent(part: number): string {
  return new Intl.NumberFormat(document.documentElement.lang, { style: "percent" }).format(part);
}

async function send(file: File, area: HTMLElement, line: Line): Promise<void> {
  const { endpoint = "/api/v1/uploads", bulletin = "" } = area.dataset;
  const language = area.querySelector<HTMLSelectElement>("[data-upload-language]")?.value ?? area.dataset["language"] ?? "vi";
  const withChime = area.querySelector<HTMLInputElement>("[data-upload-chime]")?.checked;
  const chime = withChime === undefined ? (area.dataset["chime"] ?? "1") : withChime ? "1" : "0";
  let recording = "";
  const upload = new Upload(file, {
    endpoint,
    chunkSize: CHUNK,
    retryDelays: RETRY_MS,
    removeFingerprintOnSuccess: true,
    fingerprint: async () => ["loudspeaker", bulletin, language, file.name, file.size, file.lastModified].join("|"),
    metadata: { filename: file.name, bulletin, language, chime },
    headers: { "X-CSRF-Token": csrfToken(), "Accept-Language": document.documentElement.lang },
    onShouldRetry: (failure) => {
      const status = failure.originalResponse?.getStatus() ?? 0;
      if (status === 0 || status >= 500) line.tell(t("The link is lost. Sending goes on when it is back; you may also close this page and choose the same file later."));
      return status === 0 || status === 409 || status === 423 || status >= 500;
    },
    onAfterResponse: (_request, response) => {
      recording = response.getHeader("Recording-Id") ?? recording;
    },
    onProgress: (sent, all) => line.tell(t("sending, %(part)s", { part: percent(sent / all) }), sent / all),
    onError: (failure) => line.fail(uploadWords(failure), () => upload.start()),
    onSuccess: () => void follow(recording, line, area),
  });
  const [before] = await upload.findPreviousUploads();
  if (before) upload.resumeFromPreviousUpload(before);
  upload.start();
}

function uploadWords(failure: Error | DetailedError): string {
  const response = "originalResponse" in failure ? failure.originalResponse : null;
  if (!response) return t("The link is lost. What was sent is kept; try again when it is back.");
  return asProblem(response.getStatus(), response.getBody()).message;
}

async function follow(id: string, line: Line, area: HTMLElement): Promise<void> {
  for (;;) {
    try {
      const recording = await getJson<Recording>(`/api/v1/recordings/${id}`);
      if (recording.state === "failed") return failed(recording, line, area);
      if (recording.state !== "processing") {
        line.end("good", t("ready to be approved"));
        return finish(area);
      }
      line.tell(stepWords(recording.step), recording.progress);
    } catch (failure) {
      if (failure instanceof Problem && failure.status !== 0) return line.end("fault", wordsOf(failure));
      line.tell(t("The server does not answer; the file is safely there. Looking again …"));
    }
    await new Promise((later) => setTimeout(later, POLL_MS));
  }
}

function failed(recording: Recording, line: Line, area: HTMLElement): void {
  if (!recording.can_retry) return line.end("fault", failedWords(recording));
  line.fail(failedWords(recording), () => {
    void sendJson("POST", `/api/v1/recordings/${recording.id}/retry`, {}).then(
      () => follow(recording.id, line, area),
      (failure: unknown) => line.end("fault", wordsOf(failure)),
    );
  });
}

function failedWords({ error }: Recording): string {
  const sentences = [error?.title, error?.what_was_kept, error?.what_to_do].filter((sentence) => sentence);
  return [...new Set(sentences)].join(" ") || t("This file could not be made into a recording. Choose another file.");
}

/** When no file is under way any more the page shows itself anew, unless something failed and has to be read. */
function finish(area: HTMLElement): void {
  const lines = every(".sending", area);
  const under = lines.filter((item) => !item.querySelector<HTMLProgressElement>("progress")?.hidden);
  if (under.length === 0 && !area.querySelector(".dot.fault")) location.assign(area.dataset["after"] ?? location.href);
}

for (const area of every("[data-upload]")) {
  const chooser = one<HTMLInputElement>("input[type=file]", area);
  const drop = one(".drop", area);
  const list = one("[data-sending]", area);
  const take = (files: Iterable<File>): void => {
    for (const file of files) void send(file, area, new Line(list, file.name));
  };
  chooser.addEventListener("change", () => {
    take([...(chooser.files ?? [])]);
    chooser.value = "";
  });
  for (const event of ["dragenter", "dragover"])
    drop.addEventListener(event, (moving) => {
      moving.preventDefault();
      drop.classList.add("over");
    });
  for (const event of ["dragleave", "drop"]) drop.addEventListener(event, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files ?? []);
  });
  for (const item of every("[data-recording-processing]", area)) void follow(item.dataset["recordingProcessing"] ?? "", new Line(list, item.textContent ?? ""), area);
}
