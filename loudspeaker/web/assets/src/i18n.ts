/** Sentences in the reader's language: the page carries the translations of the modules it loads. */

let catalogue: Record<string, string> | undefined;

function translations(): Record<string, string> {
  if (catalogue === undefined) {
    catalogue = {};
    for (const script of document.querySelectorAll("script[data-messages]"))
      Object.assign(catalogue, JSON.parse(script.textContent ?? "{}"));
  }
  return catalogue;
}

function filled(sentence: string, values: Record<string, string | number>): string {
  return sentence.replace(/%\((\w+)\)s/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The sentence, written in English as a literal, with its `%(name)s` filled in. */
export function t(sentence: string, values: Record<string, string | number> = {}): string {
  return filled(translations()[sentence] ?? sentence, values);
}

/** The sentence that fits the count, which fills `%(n)s`. */
export function tn(one: string, many: string, n: number): string {
  return filled(translations()[one] ?? (n === 1 ? one : many), { n });
}

/** "8 phút 10 giây": the two largest units that are not zero. */
export function duration(seconds: number): string {
  const total = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const parts: [number, string][] = [
    [hours, tn("%(n)s hour", "%(n)s hours", hours)],
    [minutes, tn("%(n)s minute", "%(n)s minutes", minutes)],
    [rest, tn("%(n)s second", "%(n)s seconds", rest)],
  ];
  const first = Math.max(0, parts.findIndex(([count]) => count > 0));
  const shown = total === 0 ? parts.slice(2) : parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([, words]) => words).join(" ");
}

/** "02:31" */
export function timecode(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${two(Math.floor(total / 60))}:${two(total % 60)}`;
}
