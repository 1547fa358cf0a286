/** How hard a passphrase is to guess, roughly, and why it will not do. */

export type Strength = "weak" | "fair" | "strong";

export const SHORTEST = 10;

/** Length counts most; few different letters or runs of neighbours count little. */
export function strength(passphrase: string): Strength {
  const letters = [...passphrase.normalize("NFKC")];
  const different = new Set(letters.map((letter) => letter.toLowerCase())).size;
  let runs = 0;
  for (let i = 1; i < letters.length; i++) {
    const step = (letters[i]?.codePointAt(0) ?? 0) - (letters[i - 1]?.codePointAt(0) ?? 0);
    if (Math.abs(step) <= 1) runs += 1;
  }
  const weight = letters.length - runs;
  if (letters.length < SHORTEST || different < 6 || weight < 8) return "weak";
  const words = passphrase.trim().split(/\s+/).length;
  return weight >= 16 || words >= 4 ? "strong" : "fair";
}
