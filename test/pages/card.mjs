// Logs in with the card in Chromium, as a person would: the page of the portal,
// the choice of ways, the button for the card, the PIN in the browser's own
// window ("Unlock Security Device"), and back at the portal.
//
//   node card.mjs URL < PIN
//
// Needs DISPLAY with a window manager, HOME with an NSS database that has a
// PKCS#11 module (.pki/nssdb), and a policy that selects the certificate.
// Prints {url, title, cf}. CHROMIUM is the browser (/usr/bin/chromium).
import { chromium } from "playwright-core";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const pin = readFileSync(0, "utf8").trim();

function xdotool(args, input) {
  const r = spawnSync("xdotool", args, { input, encoding: "utf8", timeout: 20000 });
  return { ok: r.status === 0, out: r.stdout.trim() };
}

// typePIN waits for the window and types as soon as it has the keyboard.
async function typePIN() {
  for (let i = 0; i < 300; i++, await sleep(100)) {
    const found = xdotool(["search", "--onlyvisible", "--name", "Unlock Security Device"]);
    if (!found.ok || !found.out) continue;
    const id = found.out.split("\n")[0];
    if (!xdotool(["windowactivate", "--sync", id]).ok) continue;
    xdotool(["type", "--clearmodifiers", "--delay", "20", "--file", "-"], pin);
    xdotool(["key", "--clearmodifiers", "Return"]);
    return;
  }
  throw new Error("no window asked for the PIN");
}

const context = await chromium.launchPersistentContext(join(process.env.HOME, "profile"), {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: false, locale: "it-IT",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP *.cse.localhost 127.0.0.1"],
});
try {
  const page = context.pages()[0] ?? await context.newPage();
  await page.goto(process.argv[2], { waitUntil: "load", timeout: 30000 });
  const arrived = page.waitForURL("**/tessera", { timeout: 60000 });
  await Promise.all([arrived, typePIN(), page.click('a[rel~="cns"]', { noWaitAfter: true })]);
  const cf = await page.textContent("#codice-fiscale");
  process.stdout.write(JSON.stringify({ url: page.url(), title: await page.title(), cf: cf.trim() }) + "\n");
} finally {
  await context.close();
}
