/** One recording on the page: the bytes that are hashed are the bytes that are played; bars show what was heard. */
import { element, icon, note, one } from "./dom";
import { covers, FASTEST, type Interval, Listening, merged } from "./heard";
import { getBytes, sendJson, wordsOf } from "./http";
import { t, timecode } from "./i18n";
import { NotWhatIsShown, sha256Hex } from "./signing";

const REPORT_MS = 4000;
const BAR_PX = 4;
const GAP_PX = 2;
const SPEEDS = [1, 1.25, FASTEST];

type HeardAnswer = { intervals: Interval[]; complete: boolean };

export class Player {
  readonly id: string;
  readonly sha256: string;
  readonly durationMs: number;
  readonly title: string;
  complete: boolean;
  #intervals: Interval[];
  #verified: Promise<void> | undefined;
  #peaks: Uint8Array = new Uint8Array();
  #listening = new Listening();
  #reporting: number | undefined;
  readonly #audio: HTMLAudioElement;
  readonly #button: HTMLButtonElement;
  readonly #left: HTMLElement;
  readonly #wave: HTMLElement;

  constructor(
    readonly root: HTMLElement,
    readonly changed: () => void,
  ) {
    const data = root.dataset;
    this.id = data["player"] ?? "";
    this.sha256 = data["sha256"] ?? "";
    this.title = data["title"] ?? "";
    this.durationMs = Number(data["durationMs"]);
    this.complete = "heard" in data;
    this.#intervals = JSON.parse(data["intervals"] ?? "[]") as Interval[];
    this.#audio = one<HTMLAudioElement>("audio", root);
    this.#button = one<HTMLButtonElement>(".play", root);
    this.#left = one(".left", root);
    this.#wave = one(".wave", root);
    this.#listen();
    void this.#drawPeaks();
  }

  /** Fetches the rendition once and checks that it is the recording that the page names. Throws NotWhatIsShown. */
  verify(): Promise<void> {
    this.#verified ??= this.#fetchAndHash().catch((failure: unknown) => {
      this.#verified = undefined;
      throw failure;
    });
    return this.#verified;
  }

  pause(): void {
    this.#audio.pause();
  }

  async #fetchAndHash(): Promise<void> {
    const bytes = await getBytes(this.#audio.dataset["src"] ?? "");
    if (sha256Hex(bytes) !== this.sha256) throw new NotWhatIsShown("recording");
    this.#audio.src = URL.createObjectURL(new Blob([bytes.slice().buffer], { type: "audio/ogg" }));
  }

  async #toggle(): Promise<void> {
    if (!this.#audio.paused) return this.#audio.pause();
    this.root.setAttribute("aria-busy", "true");
    try {
      await this.verify();
      await this.#audio.play();
    } catch (failure) {
      if (failure instanceof NotWhatIsShown) note("fault", t("This sound is not the recording that the page names. It was not played. Tell the technician."));
      else if (failure instanceof DOMException) note("fault", t("This browser cannot play the recording. Use a newer browser."));
      else note("fault", wordsOf(failure));
    } finally {
      this.root.removeAttribute("aria-busy");
    }
    return undefined;
  }

  #listen(): void {
    const audio = this.#audio;
    this.#button.addEventListener("click", () => void this.#toggle());
    for (const event of ["play", "seeked", "timeupdate", "pause"]) audio.addEventListener(event, () => this.#follow(event === "pause"));
    for (const event of ["seeking", "ratechange", "volumechange"]) audio.addEventListener(event, () => this.#listening.rest());
    audio.addEventListener("play", () => {
      this.#show();
      this.#reporting ??= window.setInterval(() => void this.#report(), REPORT_MS);
    });
    for (const event of ["pause", "ended"])
      audio.addEventListener(event, () => {
        this.#listening.rest();
        void this.#report();
        this.#show();
      });
    addEventListener("pagehide", () => void this.#report(true));
    this.#wave.addEventListener("click", (event) => void this.#seek(event));
    const speed = this.root.querySelector<HTMLButtonElement>(".speed");
    speed?.addEventListener("click", () => {
      audio.playbackRate = SPEEDS[(SPEEDS.indexOf(audio.playbackRate) + 1) % SPEEDS.length] ?? 1;
      one("[data-rate]", speed).textContent = `${audio.playbackRate}×`.replace(".", document.documentElement.lang === "vi" ? "," : ".");
    });
    new ResizeObserver(() => this.#draw()).observe(this.#wave);
  }

  #follow(stopping: boolean): void {
    const audio = this.#audio;
    const position = Math.min(audio.currentTime * 1000, this.durationMs);
    const audible = (!audio.paused || stopping) && !audio.seeking && !audio.muted && audio.volume > 0;
    if (audible) this.#listening.hear(position, performance.now(), audio.playbackRate);
    this.#show();
  }

  async #seek(event: MouseEvent): Promise<void> {
    if (!this.#audio.src) return;
    const box = this.#wave.getBoundingClientRect();
    this.#audio.currentTime = ((event.clientX - box.left) / box.width) * (this.durationMs / 1000);
  }

  async #report(leaving = false): Promise<void> {
    if (this.#audio.paused && this.#reporting !== undefined) {
      clearInterval(this.#reporting);
      this.#reporting = undefined;
    }
    const intervals = this.#listening.take();
    if (intervals.length === 0) return;
    this.#intervals = merged([...this.#intervals, ...intervals]);
    this.#draw();
    if ("uncounted" in this.root.dataset) return;
    try {
      const heard = await sendJson<HeardAnswer>("POST", `/api/v1/recordings/${this.id}/heard`, { intervals }, leaving);
      this.#intervals = merged(heard.intervals);
      this.complete = heard.complete;
      this.#show();
      this.changed();
    } catch (failure) {
      // kept, and sent with the next report
      this.#listening.giveBack(intervals);
      if (!leaving) note("warn", wordsOf(failure));
    }
  }

  #show(): void {
    const playing = !this.#audio.paused;
    this.root.toggleAttribute("data-heard", this.complete);
    this.#button.replaceChildren(playing ? icon("player-pause") : this.complete ? icon("check") : icon("player-play"));
    this.#button.setAttribute("aria-label", playing ? t("Pause") : t("Listen"));
    const seconds = playing || this.#audio.currentTime > 0 ? this.#audio.currentTime : this.durationMs / 1000;
    this.#left.textContent = this.complete && !playing ? t("heard to the end") : timecode(seconds);
    this.#draw();
  }

  async #drawPeaks(): Promise<void> {
    const url = this.root.dataset["waveform"];
    if (url)
      try {
        this.#peaks = await getBytes(url);
      } catch {
        // bars are an ornament: without them the recording can still be heard
      }
    this.#draw();
  }

  #draw(): void {
    const width = this.#wave.clientWidth;
    const height = this.#wave.clientHeight;
    if (width === 0) return;
    const canvas = this.#wave.querySelector("canvas") ?? this.#wave.appendChild(element("canvas", { "aria-hidden": "true" }));
    const ratio = devicePixelRatio;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.root);
    const [heard, unheard] = [style.getPropertyValue("--accent"), style.getPropertyValue("--wave")];
    const bars = Math.floor(width / (BAR_PX + GAP_PX));
    for (let bar = 0; bar < bars; bar++) {
      const tall = Math.max(3, (this.#peak(bar, bars) / 255) * height);
      const reached = this.complete || covers(this.#intervals, ((bar + 0.5) / bars) * this.durationMs);
      pen.fillStyle = reached ? heard : unheard;
      pen.beginPath();
      pen.roundRect?.(bar * (BAR_PX + GAP_PX), (height - tall) / 2, BAR_PX, tall, 1);
      pen.fill();
    }
    const at = (this.#audio.currentTime * 1000 * width) / this.durationMs;
    if (this.#audio.currentTime > 0) pen.fillRect(at, 0, 1, height);
  }

  /** The loudest of the peaks that fall into a bar. */
  #peak(bar: number, bars: number): number {
    const from = Math.floor((bar / bars) * this.#peaks.length);
    const to = Math.max(from + 1, Math.floor(((bar + 1) / bars) * this.#peaks.length));
    return this.#peaks.subarray(from, to).reduce((loudest, peak) => Math.max(loudest, peak), 0);
  }
}
