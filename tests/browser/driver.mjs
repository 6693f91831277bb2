// A real Chromium: pages are opened, looked at by axe-core on a desktop and on a phone, in light and dark, and kept as pictures.
//
// Whoever starts it names the folder of playwright-core and axe-core in KMS_BROWSER, and Chromium in CHROMIUM if it is not in the PATH.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const modules = createRequire(join(process.env.KMS_BROWSER, "node_modules", "any.js"));
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

/** A browser at this site. Pictures go into `pictures`, if it is named. */
export async function open(site, pictures) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  if (pictures) mkdirSync(pictures, { recursive: true });
  return new Driver(browser, site, pictures);
}

class Driver {
  constructor(browser, site, pictures) {
    Object.assign(this, { browser, site, pictures, faults: [], looked: 0 });
  }

  /** A person with a browser of their own. */
  async person({ javaScript = true, language = "en", zone = "Europe/Amsterdam" } = {}) {
    const context = await this.browser.newContext({
      baseURL: this.site,
      javaScriptEnabled: javaScript,
      locale: language,
      timezoneId: zone,
      viewport: DESKTOP,
    });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    page.on("pageerror", (error) => this.faults.push(`${page.url()}: ${error}`));
    // Whatever the policy of the page has stopped is told there, too.
    page.on("console", (said) => {
      if (said.type() === "error" && !/status of [45]\d\d/.test(said.text())) {
        this.faults.push(`${page.url()}: ${said.text()}`);
      }
    });
    page.on("request", (request) => {
      const there = new URL(request.url());
      if (there.protocol.startsWith("http") && there.origin !== new URL(this.site).origin) {
        this.faults.push(`${page.url()} asks ${there.origin}`);
      }
    });
    return page;
  }

  /** Looks at the page that is open: light on a desktop, dark on a phone; both in both, if there are pictures to be kept. */
  async look(page, name) {
    for (const [size, viewport, usual] of [["desktop", DESKTOP, "light"], ["phone", PHONE, "dark"]]) {
      await page.setViewportSize(viewport);
      for (const colorScheme of this.pictures ? ["light", "dark"] : [usual]) {
        await page.emulateMedia({ colorScheme });
        await this.#accessible(page, `${name}, ${size}, ${colorScheme}`);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (0 < wider) this.faults.push(`${name}, ${size}: the page is ${wider} pixels wider than the screen`);
        if (this.pictures) {
          await page.screenshot({ path: join(this.pictures, `${name}-${size}-${colorScheme}.png`), fullPage: true });
        }
        this.looked += 1;
      }
    }
    await page.setViewportSize(DESKTOP);
    await page.emulateMedia({ colorScheme: "light" });
  }

  async #accessible(page, where) {
    let found;
    try {
      // The policy of the pages allows no script of others, and does not apply to the debugger.
      await page.evaluate(axe);
      found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    } catch (error) {
      this.faults.push(`${where}: axe-core did not run: ${error}`);
      return;
    }
    for (const { id, help, nodes } of found.violations) {
      this.faults.push(`${where}: ${id}: ${help}: ${nodes.map((node) => node.target.join(" ")).join("; ")}`);
    }
  }

  /** Ends the browser. What was wrong ends the program with 1. */
  async close() {
    await this.browser.close();
    for (const fault of this.faults) console.error(fault);
    console.log(`looked at ${this.looked} pages; ${this.faults.length} faults`);
    process.exitCode = this.faults.length === 0 ? 0 : 1;
  }
}

/** Ends the story if this does not hold. */
export function expect(holds, what) {
  if (!holds) throw new Error(what);
}
