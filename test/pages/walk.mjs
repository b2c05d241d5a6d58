// Walks through pages in one Chromium as it is told: a command a line on
// standard input (JSON), an answer a line on standard output. test/journey
// drives its six journeys with it.
//
//   {"do":"begin","scripts":true,"keyboard":false,"shots":"folder"}   a new visitor
//   {"do":"go","url":…}                      an address
//   {"do":"fill","at":selector,"value":…}    {"do":"choose","at":a radio button}
//   {"do":"pick","at":a select,"value":…}    {"do":"tick","at":selector}
//   {"do":"press","at":selector}             a link or button that leads to a page
//   {"do":"print","at":selector,"file":…}    a button that answers with a file
//   {"do":"shot","name":…}                   a picture at 1280 and at 360 pixels
//
// The answer: {"error"} or {url, status, code, title, text, problems}. Nothing is
// done by mouse. With keyboard true a visitor gets to everything by Tab alone, as
// somebody does who has no other way, and sees where he is: a focused element
// without a visible outline is a problem. So are messages of the policy of
// content, requests elsewhere, sideways scroll at 360 pixels.
import { chromium } from "playwright-core";
import { createInterface } from "node:readline";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const ours = (url) => /^(https?:\/\/([a-z0-9-]+\.)*cse\.localhost(:\d+)?\/|data:,?$|about:|blob:)/.test(url);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP *.cse.localhost 127.0.0.1"],
});
let context, page, way, answer, problems = [];

async function begin(c) {
  await context?.close();
  way = c;
  mkdirSync(c.shots, { recursive: true });
  context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: c.scripts, locale: "it-IT", acceptDownloads: true, viewport: { width: 1280, height: 900 } });
  page = await context.newPage();
  page.on("console", (m) => { if (m.type() === "error" && !/status of [45]\d\d/.test(m.text())) problems.push(`console: ${m.text()}`); });
  page.on("pageerror", (e) => problems.push(`script: ${e.message}`));
  page.on("request", (r) => { if (!ours(r.url())) problems.push(`request elsewhere: ${r.url()}`); });
  page.on("response", (r) => { if (r.request().isNavigationRequest() && (r.status() < 300 || r.status() >= 400)) answer = r; });
}

// reach brings the keyboard to an element: by Tab until it is there, or at once.
async function reach(selector) {
  if (!way.keyboard) return page.focus(selector);
  for (let i = 0; i < 300; i++) {
    const at = await page.evaluate((s) => {
      const e = document.activeElement;
      if (!e?.matches(s)) return "";
      const look = getComputedStyle(e);
      return look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0 || look.boxShadow !== "none" ? "seen" : "unseen";
    }, selector);
    if (at === "unseen") problems.push(`${selector} has the keyboard and does not show it`);
    if (at) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab never reaches ${selector}`);
}

const type = (text) => page.keyboard.type(text);

// choose a radio button: Tab comes to the group, the arrows go through it.
async function choose(selector) {
  const name = await page.getAttribute(selector, "name");
  await reach(`input[type=radio][name="${name}"]`);
  if (await page.evaluate((s) => document.activeElement.matches(s), selector)) return page.keyboard.press("Space");
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press("ArrowDown");
    if (await page.evaluate((s) => document.activeElement.matches(s) && document.activeElement.checked, selector)) return;
  }
  throw new Error(`the arrows never reach ${selector}`);
}

// pick an option by its keys: Home, then down to it.
async function pick(selector, value) {
  await reach(selector);
  await page.keyboard.press("Home");
  for (let i = 0; i < 50; i++) {
    if (await page.evaluate((s) => document.querySelector(s).value, selector) === value) return;
    await page.keyboard.press("ArrowDown");
  }
  throw new Error(`${selector} has no ${value}`);
}

async function tick(selector) {
  await reach(selector);
  if (!await page.isChecked(selector)) await page.keyboard.press("Space");
}

async function fill(selector, value) {
  await reach(selector);
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  if (value) await type(value);
  const got = await page.inputValue(selector);
  if (got !== value) throw new Error(`${selector} holds ${got.length} characters, want ${value.length}`);
}

async function shot(name) {
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 900 });
    if (width === 360) {
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > 360) problems.push(`${name} scrolls sideways at 360: ${wide} pixels`);
    }
    await page.screenshot({ path: join(way.shots, `${name}.${width}.png`), fullPage: true });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

async function lead(selector) {
  await reach(selector);
  await Promise.all([page.waitForNavigation({ waitUntil: "load", timeout: 60000 }), page.keyboard.press("Enter")]);
}

async function print(selector, file) {
  await reach(selector);
  const [download] = await Promise.all([page.waitForEvent("download", { timeout: 60000 }), page.keyboard.press("Enter")]);
  await download.saveAs(file);
}

const deeds = {
  begin, go: (c) => page.goto(c.url, { waitUntil: "load" }), fill: (c) => fill(c.at, c.value), choose: (c) => choose(c.at),
  pick: (c) => pick(c.at, c.value), tick: (c) => tick(c.at), press: (c) => lead(c.at), print: (c) => print(c.at, c.file), shot: (c) => shot(c.name),
};

try {
  for await (const line of createInterface({ input: process.stdin })) {
    const c = JSON.parse(line);
    const out = {};
    try {
      await deeds[c.do](c);
      if (c.do !== "begin" && c.do !== "shot") {
        out.url = page.url(); out.title = await page.title();
        out.status = answer?.status(); out.code = (answer && (await answer.allHeaders())["cse-error"]) ?? "";
        out.text = ((await page.textContent("main")) ?? "").replace(/\s+/g, " ").trim();
      }
    } catch (e) {
      out.error = `${c.do} ${c.at ?? c.url ?? ""} on ${page?.url()}: ${e.message}`;
    }
    out.problems = problems;
    problems = [];
    process.stdout.write(JSON.stringify(out) + "\n");
  }
} finally {
  await browser.close();
}
