// What every staff page needs: partial refresh, dialogs, forms, the drawer, the clock, light and dark.
import htmx from "htmx.org";
import { askForTypedWords, openDialogs } from "../confirm";
import { every, note } from "../dom";
import { guardForms, restoreForms } from "../forms";
import { asProblem } from "../http";
import { serverNow } from "../time";

function carryCsrfToken(): void {
  document.addEventListener("htmx:config:request", (event) => {
    const token = document.querySelector<HTMLMetaElement>("meta[name=csrf-token]")?.content;
    const context = (event as CustomEvent<{ ctx: { request: { headers: Record<string, string> } } }>).detail.ctx;
    if (token) context.request.headers["X-CSRF-Token"] = token;
  });
}

type Answered = CustomEvent<{ ctx: { response: { raw: Response; status: number } } }>;

/** An answer that is no part of the page (an error, the sign-in form) is told and never put into it; 422 is a form with its errors. */
function tellFailures(): void {
  document.addEventListener("htmx:before:response", (event) => {
    const { raw, status } = (event as Answered).detail.ctx.response;
    const signIn = raw.redirected && new URL(raw.url).pathname === "/sign-in";
    if (!signIn && (status < 400 || status === 422)) return;
    event.preventDefault();
    note(signIn ? "warn" : "fault", asProblem(signIn ? 401 : status, "").message);
  });
}

function workDrawer(): void {
  const opener = document.querySelector<HTMLElement>("[data-drawer]");
  const side = document.getElementById("side");
  if (!opener || !side) return;
  const show = (open: boolean): void => {
    side.classList.toggle("open", open);
    opener.setAttribute("aria-expanded", String(open));
  };
  opener.addEventListener("click", (event) => {
    event.preventDefault();
    const open = !side.classList.contains("open");
    show(open);
    if (open) side.querySelector<HTMLElement>("a:not(.brand)")?.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !side.classList.contains("open")) return;
    show(false);
    opener.focus();
  });
  document.addEventListener("click", (event) => {
    const inside = event.target instanceof Node && (side.contains(event.target) || opener.contains(event.target));
    if (!inside) show(false);
  });
}

function runClock(): void {
  const clock = document.querySelector<HTMLTimeElement>("[data-clock]");
  if (!clock) return;
  const format = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: clock.dataset["zone"] ?? "UTC" });
  const tick = (): void => {
    const now = serverNow();
    clock.textContent = format.format(now);
    clock.dateTime = new Date(now).toISOString();
    setTimeout(tick, 1000 - (now % 1000));
  };
  tick();
}

function workThemeSwitch(): void {
  for (const button of every("[data-theme-toggle]"))
    button.addEventListener("click", () => {
      const root = document.documentElement;
      const next = root.dataset["bsTheme"] === "dark" ? "light" : "dark";
      root.dataset["bsTheme"] = next;
      localStorage.setItem("theme", next);
    });
}

/** On a phone a row is a card and each value carries its column's name. */
function labelCells(): void {
  for (const table of every<HTMLTableElement>("table.rows")) {
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])].map((cell) => cell.textContent?.trim() ?? "");
    for (const row of [...table.tBodies].flatMap((body) => [...body.rows]))
      [...row.cells].forEach((cell, i) => (cell.dataset["label"] ??= heads[i] ?? ""));
  }
}

function printOnDemand(): void {
  for (const button of every("[data-print]")) button.addEventListener("click", () => window.print());
}

htmx.config.includeIndicatorCSS = false;
carryCsrfToken();
tellFailures();
openDialogs();
askForTypedWords();
restoreForms();
guardForms();
workDrawer();
runClock();
workThemeSwitch();
printOnDemand();
labelCells();
document.addEventListener("htmx:after:swap", labelCells);
