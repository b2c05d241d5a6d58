// Checks pages in Chromium: axe-core (WCAG 2.1 A and AA, best practices) at two
// widths, no message from the Content-Security-Policy, no request to another
// site, no sideways scroll at 320 pixels, with scripts on and off; takes
// screenshots.
//
//   node run.mjs                       every state that ../../test/pages/serve plays
//   PAGES='[{"name","url",…}]' node run.mjs     the pages given
//
// A page is {name, url, status?, cookies?, steps?}: cookies as Playwright's
// addCookies takes them; steps are {fill: selector, value}, {check: selector},
// {click: selector}, done by keyboard after the page has opened (a mouse click
// waits for animation frames, which never come with scripts off). Environment:
// SHOTS a folder for screenshots, CHROMIUM the browser (/usr/bin/chromium), ONLY
// a part of the names. Ends with status 1 and a list when anything is wrong.
import { chromium } from "playwright-core";
import { spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { connect } from "node:tls";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.SHOTS;
if (shots) mkdirSync(shots, { recursive: true });

let server;
async function pages() {
  if (process.env.PAGES) return JSON.parse(process.env.PAGES);
  server = spawn(process.env.SERVE ?? "go", process.env.SERVE ? [] : ["run", "./test/pages/serve"], {
    cwd: join(here, "../.."), stdio: ["ignore", "pipe", "inherit"], detached: true,
  });
  let text = "";
  for await (const chunk of server.stdout) {
    text += chunk;
    if (text.includes("\n")) return JSON.parse(text.slice(0, text.indexOf("\n")));
  }
  throw new Error("test/pages/serve ended without a list of pages");
}

const wrong = [];
const ours = (url) => /^(https?:\/\/([a-z0-9-]+\.)*cse\.localhost(:\d+)?\/|data:,?$|about:)/.test(url);

async function open(context, page, spec) {
  await context.clearCookies();
  if (spec.cookies) await context.addCookies(spec.cookies);
  const answer = await page.goto(spec.url, { waitUntil: "load" });
  if (spec.status && answer.status() !== spec.status) wrong.push(`${spec.name}: status ${answer.status()}, want ${spec.status}`);
  for (const step of spec.steps ?? []) {
    if (step.fill) await page.fill(step.fill, step.value);
    if (step.check) await page.press(step.check, "Space");
    if (step.click) await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.press(step.click, "Enter")]);
  }
}

const note = (name, what) => wrong.push(`${name}: ${what}`);

async function axe(page, where, first) {
  if (first) await page.evaluate(axeSource);
  const found = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"], resultTypes: ["violations"],
    preload: false, // axe would fetch the style sheet of another host, which the policy of the card's host forbids
  }));
  for (const v of found.violations) {
    note(where, `axe ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(" | ")}`);
  }
}

async function check(browser, list, javaScript) {
  // With scripts off axe cannot run by itself, but the automation still can.
  const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: javaScript, locale: "it-IT" });
  const page = await context.newPage();
  let current = "";
  page.on("console", (m) => { if (m.type() === "error" && !/status of [45]\d\d/.test(m.text())) note(current, `console: ${m.text()}`); });
  page.on("pageerror", (e) => note(current, `script: ${e.message}`));
  page.on("request", (r) => { if (!ours(r.url())) note(current, `request elsewhere: ${r.url()}`); });
  page.on("requestfailed", (r) => note(current, `request failed: ${r.url()} ${r.failure()?.errorText}`));
  for (const spec of list) {
    for (const width of javaScript ? [1280, 360] : [360]) {
      current = `${spec.name} @${width}${javaScript ? "" : " no-js"}`;
      await page.setViewportSize({ width, height: 900 });
      // The page is opened once and then made narrow, as a person turns a telephone: half of the time was opening.
      const first = width === (javaScript ? 1280 : 360);
      if (first) await open(context, page, spec);
      if (javaScript) await axe(page, current, first);
      if (shots && javaScript) await page.screenshot({ path: join(shots, `${spec.name}.${width}.png`), fullPage: true });
    }
    await page.setViewportSize({ width: 320, height: 800 });
    current = `${spec.name} @320`;
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > 320) note(current, `scrolls sideways: ${wide} pixels`);
    if (!javaScript && !(await page.evaluate(() => document.querySelector("main h1")?.offsetHeight > 0))) note(current, "no visible h1");
  }
  await context.close();
}

// The keys of the hosts we visit. Chromium keeps no style sheet in its cache from a host whose certificate it does not trust: by
// naming the keys it loads each once and not seven hundred times.
async function keys(list) {
  const origins = [...new Set(list.map((p) => new URL(p.url)).filter((u) => u.protocol === "https:").map((u) => u.host))];
  return Promise.all(origins.map((host) => new Promise((resolve, reject) => {
    const [servername, port] = host.split(":");
    const socket = connect({ host: "127.0.0.1", port: port ?? 443, servername, rejectUnauthorized: false }, () => {
      const key = new X509Certificate(socket.getPeerCertificate().raw).publicKey.export({ type: "spki", format: "der" });
      socket.destroy();
      resolve(createHash("sha256").update(key).digest("base64"));
    });
    socket.on("error", reject);
  })));
}

let browser;
try {
  let list = await pages();
  if (process.env.ONLY) list = list.filter((p) => p.name.includes(process.env.ONLY));
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP *.cse.localhost 127.0.0.1",
      `--ignore-certificate-errors-spki-list=${(await keys(list)).join(",")}`],
  });
  // The two languages share every template: without scripts one is enough.
  const plain = list.filter((p) => !p.name.endsWith(".en"));
  // Most of the time goes by waiting: four visitors at once.
  const half = (all, n) => all.filter((_, i) => i % 2 === n);
  await Promise.all([0, 1].flatMap((n) => [check(browser, half(list, n), true), check(browser, half(plain, n), false)]));
  process.stdout.write(`${list.length} pages, 2 widths, scripts on and off: ${wrong.length} defects\n`);
} finally {
  await browser?.close();
  if (server) process.kill(-server.pid); // our own child and what it started
}
for (const w of wrong) process.stdout.write(`- ${w}\n`);
process.exitCode = wrong.length ? 1 : 0;
