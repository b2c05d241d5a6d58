// Makes ../places.tsv.gz, the table of Belfiore codes, from the npm package that
// package-lock.json fixes. Run ./generate.sh; the output is committed and the
// same input gives the same table (sorted by code; sum of the text printed).
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import connector from "@marketto/belfiore-connector-embedded";

const places = await (connector.default ?? connector).toArray();
const day = (d) => {
  const s = new Date(d).toISOString().slice(0, 10);
  return s === "9999-12-31" || s === "1861-01-01" ? "" : s; // no end; "always" for foreign states
};
// Slips of the source: UTF-8 read as Latin-1 ("CittÃ "; a final à has lost its second half), and UK for GB.
const mend = (s) => (/[\u00c3\u0102]\s?$/.test(s) ? s.replace(/.\s?$/u, "à") : /[\u00c2-\u00c3][\u0080-\u00bf]/.test(s) ? Buffer.from(s, "latin1").toString("utf8") : s);
const iso = (c) => (c === "UK" ? "GB" : c);
const lines = places
  .map((p) => {
    const foreign = p.belfioreCode.startsWith("Z");
    const where = (foreign ? iso(p.iso3166?.trim()) : p.province?.trim()) ?? "";
    return [p.belfioreCode, mend(p.name), where, day(p.creationDate), day(p.expirationDate)].join("\t");
  })
  .sort();
const text = lines.join("\n") + "\n";
writeFileSync(new URL("../places.tsv.gz", import.meta.url), gzipSync(text, { level: 9 }));
console.error(`${lines.length} places, sha256 of the text ${createHash("sha256").update(text).digest("hex")}`);
