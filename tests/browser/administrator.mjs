// An administrator's day in the world of `kms-portal dev`: every page is looked at, and a licence is assigned by the keyboard alone.
//
// node administrator.mjs SITE PICTURES ADDRESS PASSWORD

import { expect, open } from "./driver.mjs";

const [site, pictures, address, password] = process.argv.slice(2);

// Pages that differ only in an id are looked at once.
const kindOf = (path) => path.split("?")[0].replaceAll(/[0-9a-f]{32}/g, "*");

const driver = await open(site, pictures);
try {
  const page = await driver.person();
  await page.goto("/sign-in?to=/organisation");
  await page.getByLabel("Address").fill(address);
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${site}/organisation`);

  const seen = new Map();
  const waiting = ["/organisation", "/account"];
  while (waiting.length !== 0 && seen.size < 40) {
    const path = waiting.shift();
    if (seen.has(kindOf(path))) continue;
    const answer = await page.goto(path);
    expect(answer.status() < 400, `${path} is answered with ${answer.status()}`);
    const kind = kindOf(path);
    seen.set(kind, path);
    await driver.look(page, kind.slice(1).replaceAll("/", "-").replaceAll("*", "one"));
    const links = await page.$$eval("main a[href^='/'], header a[href^='/']", (found) =>
      found.filter((link) => !link.hasAttribute("download")).map((link) => link.getAttribute("href")),
    );
    waiting.push(...links);
  }
  for (const kind of ["/organisation/people", "/organisation/licences", "/organisation/subscriptions", "/organisation/conflicts", "/organisation/people/*"]) {
    expect(seen.has(kind), `no link leads to ${kind}; there are ${[...seen.keys()].join(" ")}`);
  }

  // Without a mouse, and without JavaScript.
  const plain = await driver.person({ javaScript: false, language: "nl" });
  await plain.goto("/sign-in?to=/organisation/licences");
  await plain.getByLabel("Adres").fill(address);
  await plain.getByLabel("Wachtwoord").fill(password);
  await plain.keyboard.press("Enter");
  await plain.waitForURL(`${site}/organisation/licences`);
  await plain.locator("#list").fill("nobody@works.example\nKim@works.example");
  await plain.locator("input[name=offer]").first().check();
  await plain.locator("form[action='/organisation/licences/preview'] button").first().click();
  await plain.waitForURL(`${site}/organisation/licences/preview`);
  const rows = await plain.locator("tbody tr").count();
  expect(rows === 2, `the preview has a row for each address, not ${rows}`);
  if (pictures) await plain.screenshot({ path: `${pictures}/preview.png`, fullPage: true });
} finally {
  await driver.close();
}
