// Builds portal/look/dist from npm packages and src/: run it through
// `npm ci --ignore-scripts && npm run build`.
//
// Out of it come files whose name carries the hash of their content (so that
// browsers may keep them for ever), a gzip twin of each text, and
// manifest.json, which tells the Go side name -> hashed name.
//
// What we change in Bootstrap Italia, and why: every data: picture in the
// style sheet becomes a file and the data: font of video.js goes away, so that
// the Content-Security-Policy needs no data:; @font-face rules stand in our
// style sheet, because upstream injects them by script.
import { build, transform } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const italia = join(here, "node_modules/bootstrap-italia/dist");
const manifest = {};

mkdirSync(dist, { recursive: true });
for (const f of readdirSync(dist)) if (f !== ".gitkeep") rmSync(join(dist, f), { recursive: true });

// emit writes content under a hashed name and returns that name.
function emit(name, content) {
  const body = Buffer.from(content);
  const hash = createHash("sha256").update(body).digest("hex").slice(0, 12);
  const dot = name.lastIndexOf(".");
  const out = `${name.slice(0, dot)}.${hash}${name.slice(dot)}`;
  writeFileSync(join(dist, out), body);
  if (/\.(css|js|svg)$/.test(out) && body.length > 1000) writeFileSync(join(dist, out + ".gz"), gzipSync(body, { level: 9 }));
  manifest[name] = out;
  return out;
}

const fonts = {
  "titillium-300.woff2": "Titillium_Web/titillium-web-v10-latin-ext_latin-300.woff2",
  "titillium-400.woff2": "Titillium_Web/titillium-web-v10-latin-ext_latin-regular.woff2",
  "titillium-400i.woff2": "Titillium_Web/titillium-web-v10-latin-ext_latin-italic.woff2",
  "titillium-600.woff2": "Titillium_Web/titillium-web-v10-latin-ext_latin-600.woff2",
  "titillium-700.woff2": "Titillium_Web/titillium-web-v10-latin-ext_latin-700.woff2",
  "titillium-700i.woff2": "Titillium_Web/titillium-web-v10-latin-ext_latin-700italic.woff2",
  "mono-400.woff2": "Roboto_Mono/roboto-mono-v13-latin-ext_latin-regular.woff2",
  "mono-700.woff2": "Roboto_Mono/roboto-mono-v13-latin-ext_latin-700.woff2",
};
for (const [name, from] of Object.entries(fonts)) emit(name, readFileSync(join(italia, "fonts", from)));

// The pictures hidden in the style sheet become files.
let css = readFileSync(join(italia, "css/bootstrap-italia.min.css"), "utf8");
css = css.replace(/@font-face\{font-family:VideoJS[^}]*\}/g, "").replace(/\/\*# sourceMappingURL=.*?\*\//, "");
// Upstream leaves bare % signs in some of them, so only %XX pairs are decoded.
const decode = (text) => text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))).trim();
css = css.replace(/url\((?:"data:image\/svg\+xml([^,"]*),([^"]*)"|data:image\/svg\+xml([^,)]*),([^)]*))\)/gi, (whole, k1, d1, k2, d2) => {
  const kind = k1 ?? k2;
  const data = d1 ?? d2;
  const svg = kind.includes("base64") ? Buffer.from(data, "base64").toString("utf8") : decode(data);
  if (!svg.trimEnd().endsWith("</svg>")) throw new Error(`cut picture: ${whole.slice(0, 200)}`);
  return `url(${emit("picture.svg", svg)})`;
});
delete manifest["picture.svg"]; // many files share that name; only the style sheet asks for them
if (/url\(["']?data:/.test(css)) throw new Error("a data: address is left in the style sheet");

let own = readFileSync(join(here, "src/look.css"), "utf8");
own = own.replace(/url\("font:([^"]+)"\)/g, (_, name) => `url(${manifest[name]})`);
own = (await transform(own, { loader: "css", minify: true })).code;
emit("look.css", css + own);

const js = await build({
  entryPoints: [join(here, "src/look.js")],
  bundle: true, minify: true, format: "iife", target: "es2019", write: false, legalComments: "none",
});
emit("look.js", js.outputFiles[0].contents);

// Only the icons that templates use, so that a page costs 3 KB of them and not 90.
const sprites = readFileSync(join(italia, "svg/sprites.svg"), "utf8");
const wanted = JSON.parse(readFileSync(join(here, "src/icons.json"), "utf8"));
const symbols = wanted.map((id) => {
  const found = sprites.match(new RegExp(`<(symbol|svg)[^>]*id="${id}"[^]*?</\\1>`));
  if (!found) throw new Error(`no icon ${id}`);
  return found[0];
});
emit("icons.svg", `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`);
emit("favicon.svg", readFileSync(join(here, "src/favicon.svg")));

writeFileSync(join(dist, "manifest.json"), JSON.stringify(manifest, null, 1) + "\n");
const size = readdirSync(dist).length;
process.stdout.write(`portal/look/dist: ${size} files (${basename(manifest["look.css"])}, ${basename(manifest["look.js"])})\n`);
