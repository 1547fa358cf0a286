export function every<E extends Element = HTMLElement>(selector: string, within: ParentNode = document): E[] {
  return [...within.querySelectorAll<E>(selector)];
}

/** The one element that must be there. */
export function one<E extends Element = HTMLElement>(selector: string, within: ParentNode = document): E {
  const found = within.querySelector<E>(selector);
  if (!found) throw new Error(`The page has no ${selector}`);
  return found;
}

type Child = Node | string;

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** An outline icon of the sprite, named as a literal so that the build puts it there. */
export function icon(name: string): SVGSVGElement {
  const sprite = document.querySelector("use")?.getAttribute("href")?.split("#")[0] ?? "";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

/** Show one message at the top of the page, in place of an earlier one of this module. */
export function note(kind: "good" | "warn" | "fault", words: string): void {
  const place = document.getElementById("flashes");
  if (!place) return;
  place.querySelector("[data-from-module]")?.remove();
  const made = element("div", { class: `note ${kind}`, "data-from-module": "", role: kind === "fault" ? "alert" : "status" });
  made.append(element("div", {}, element("i", { class: `dot ${kind}`, "aria-hidden": "true" }), " ", words));
  place.append(made);
  made.scrollIntoView({ block: "nearest" });
}
