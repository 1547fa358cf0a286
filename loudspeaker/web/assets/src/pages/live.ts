// Live parts of a page: refreshed when the server says that something changed, with times that run in between.
import htmx from "htmx.org";
import { every, note } from "../dom";
import { duration, t, timecode } from "../i18n";
import { serverNow, serverTimeIs } from "../time";

const GATHER_MS = 200;
const LOST_AFTER_MS = 8000;

let waiting: number | undefined;
const changed = new Set<string>();

/** Elements say in `data-live` which topics they show, and in `data-href` where their newest state is. */
function refresh(topics: Iterable<string>): void {
  for (const topic of topics) changed.add(topic);
  waiting ??= window.setTimeout(() => {
    waiting = undefined;
    for (const part of every("[data-live]"))
      if (topicsOf(part).some((topic) => changed.has(topic)))
        void htmx.ajax("GET", part.dataset["href"] ?? location.href, { target: part, swap: "outerHTML" });
    changed.clear();
  }, GATHER_MS);
}

function topicsOf(part: HTMLElement): string[] {
  return (part.dataset["live"] ?? "").split(/\s+/).filter((topic) => topic !== "");
}

function listen(): void {
  const topics = new Set(every("[data-live]").flatMap(topicsOf));
  if (topics.size === 0) return;
  const source = new EventSource("/events");
  let lost: number | undefined;
  let interrupted = false;
  const heard = (event: MessageEvent<string>): void => {
    const now = /"now":\s*"([^"]+)"/.exec(event.data)?.[1];
    if (now) serverTimeIs(Date.parse(now));
  };
  for (const topic of topics)
    source.addEventListener(topic, (event) => {
      heard(event as MessageEvent<string>);
      refresh([topic]);
    });
  source.addEventListener("hello", (event) => heard(event as MessageEvent<string>));
  source.addEventListener("open", () => {
    clearTimeout(lost);
    lost = undefined;
    if (!interrupted) return;
    interrupted = false;
    document.querySelector("[data-from-module]")?.remove();
    refresh(topics);
  });
  source.addEventListener("error", () => {
    interrupted = true;
    lost ??= window.setTimeout(() => note("warn", t("This page has lost the link to the server and may be out of date. It looks again by itself.")), LOST_AFTER_MS);
  });
  addEventListener("pagehide", () => source.close());
}

function instant(element: HTMLElement, name: string): number {
  return Date.parse(element.dataset[name] ?? "");
}

function runTimes(): void {
  const now = serverNow();
  for (const bar of every<HTMLProgressElement>("progress[data-starts]")) {
    const [starts, ends] = [instant(bar, "starts"), instant(bar, "ends")];
    bar.value = bar.max * Math.min(1, Math.max(0, (now - starts) / (ends - starts)));
  }
  for (const time of every<HTMLTimeElement>("time[data-countdown]")) {
    const left = (Date.parse(time.dateTime) - now) / 1000;
    time.textContent = left > 0 ? t("in %(time)s", { time: duration(left > 3600 ? Math.ceil(left / 60) * 60 : left) }) : t("now");
  }
  for (const text of every("[data-elapsed]")) text.textContent = timecode((now - instant(text, "elapsed")) / 1000);
  for (const text of every("[data-remaining]"))
    text.textContent = t("%(time)s left", { time: timecode((instant(text, "remaining") - now) / 1000) });
}

// A page that comes back from the browser's memory has closed its stream and is out of date.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
listen();
runTimes();
setInterval(runTimes, 1000);
document.addEventListener("htmx:after:swap", runTimes);
