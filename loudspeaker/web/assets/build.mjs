// Builds everything a browser loads into ../static: content-hashed names, .br and .gz beside them, manifest.json last.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { PurgeCSS } from "purgecss";

const assets = dirname(fileURLToPath(import.meta.url));
const web = resolve(assets, "..");
const output = join(web, "static");
const compressible = new Set([".css", ".js", ".svg", ".json"]);

const filesUnder = async (folder, suffix) =>
  (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(suffix)).map((name) => join(folder, name));

const sources = [
  ...(await filesUnder(join(web, "templates"), ".html")),
  ...(await filesUnder(join(assets, "src"), ".ts")),
];
const sourceTexts = await Promise.all(sources.map((path) => readFile(path, "utf8")));

// Each module in src/pages is a file of its own; what they import from src is bundled into them or shared.
const pages = join(assets, "src/pages");

const purgedTabler = {
  name: "purged-tabler",
  setup(build) {
    build.onResolve({ filter: /^purged:tabler$/ }, () => ({ path: "tabler", namespace: "purged" }));
    build.onLoad({ filter: /.*/, namespace: "purged" }, async () => {
      const css = await readFile(join(assets, "node_modules/@tabler/core/dist/css/tabler.min.css"), "utf8");
      const [purged] = await new PurgeCSS().purge({
        content: sourceTexts.map((raw, i) => ({ raw, extension: extname(sources[i]).slice(1) })),
        css: [{ raw: css }],
        keyframes: true,
        variables: true,
        defaultExtractor: (text) => text.match(/[A-Za-z][\w-]*/g) ?? [],
        safelist: { greedy: [/data-bs-theme/], variables: [/^--tblr-(primary|body|font|border|bg|link)/] },
      });
      return { contents: purged.css, loader: "css", resolveDir: assets };
    });
  },
};

const bundled = await esbuild.build({
  entryPoints: [...(await filesUnder(pages, ".ts")), join(assets, "css/app.css"), join(assets, "css/phone.css")],
  outdir: output,
  entryNames: "[name].[hash]",
  chunkNames: "shared.[hash]",
  assetNames: "[name].[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["chrome90", "firefox90", "safari15"],
  supported: { destructuring: true },
  loader: { ".woff2": "file" },
  minify: true,
  metafile: true,
  write: false,
  legalComments: "none",
  absWorkingDir: assets,
  plugins: [purgedTabler],
  logLevel: "warning",
});

async function iconSprite() {
  const used = new Set();
  for (const text of sourceTexts)
    for (const [, name] of text.matchAll(/\bicon(?:\(|=)\s*["']([a-z0-9-]+)["']/g)) used.add(name);
  const symbols = [...used].sort().map(async (name) => {
    const path = join(assets, "node_modules/@tabler/icons/icons/outline", `${name}.svg`);
    const svg = await readFile(path, "utf8").catch(() => {
      throw new Error(`No outline icon is called "${name}": look it up in node_modules/@tabler/icons/icons/outline.`);
    });
    const shapes = svg.replace(/^[\s\S]*?<svg[\s\S]*?>/, "").replace(/<\/svg>\s*$/, "")
      .replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*\/>/, "").replace(/\s+/g, " ").trim();
    return `<symbol id="${name}" viewBox="0 0 24 24">${shapes}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">${(await Promise.all(symbols)).join("")}</svg>`;
}

/** The sentences in `t("…")` and `tn("…", "…", n)` of a source: the page that loads the module carries their translations. */
function sentencesIn(text) {
  const quoted = /"((?:[^"\\]|\\.)*)"/.source;
  const found = [];
  for (const [, one, many] of text.matchAll(new RegExp(`\\btn?\\(\\s*${quoted}(?:,\\s*${quoted})?`, "g")))
    found.push(many === undefined ? JSON.parse(`"${one}"`) : [JSON.parse(`"${one}"`), JSON.parse(`"${many}"`)]);
  return found;
}

/** All inputs of an output and of the chunks that it imports. */
function inputsOf(outputs, path, seen = new Set()) {
  if (seen.has(path)) return [];
  seen.add(path);
  const { inputs, imports } = outputs[path];
  return [...Object.keys(inputs), ...imports.filter((i) => outputs[i.path]).flatMap((i) => inputsOf(outputs, i.path, seen))];
}

const files = new Map(bundled.outputFiles.map((file) => [basename(file.path), file.contents]));
const names = {};
const messages = {};
for (const [path, { entryPoint }] of Object.entries(bundled.metafile.outputs)) {
  const hashed = basename(path);
  const plain = hashed.replace(/\.[A-Z0-9]{8}(?=\.)/, "");
  if (entryPoint || !hashed.startsWith("shared.")) names[plain] = hashed;
  if (!entryPoint?.endsWith(".ts")) continue;
  const own = inputsOf(bundled.metafile.outputs, path).filter((input) => input.startsWith("src/"));
  const texts = await Promise.all(own.map((input) => readFile(join(assets, input), "utf8")));
  const sentences = texts.flatMap(sentencesIn).map((s) => JSON.stringify(s));
  messages[plain] = [...new Set(sentences)].sort().map((s) => JSON.parse(s));
}

const sprite = Buffer.from(await iconSprite());
const spriteName = `icons.${createHash("sha256").update(sprite).digest("hex").slice(0, 8).toUpperCase()}.svg`;
files.set(spriteName, sprite);
names["icons.svg"] = spriteName;

await mkdir(output, { recursive: true });
const kept = new Set(["manifest.json"]);
for (const [name, contents] of files) {
  const versions = [[name, contents]];
  if (compressible.has(extname(name)))
    versions.push(
      [`${name}.br`, brotliCompressSync(contents, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })],
      [`${name}.gz`, gzipSync(contents, { level: 9 })],
    );
  for (const [file, bytes] of versions) {
    kept.add(file);
    await writeFile(join(output, file), bytes);
  }
}
await writeFile(join(output, "manifest.json"), JSON.stringify({ files: names, messages }, null, 1));
for (const name of await readdir(output)) if (!kept.has(name)) await rm(join(output, name), { recursive: true });

for (const [plain, hashed] of Object.entries(names).sort()) {
  const raw = files.get(hashed).length;
  console.log(`${plain.padEnd(44)} ${String(raw).padStart(7)} B`);
}
