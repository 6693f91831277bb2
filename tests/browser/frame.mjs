// The first page, in four languages: node frame.mjs SITE [FOLDER FOR PICTURES]

import { expect, open } from "./driver.mjs";

const [site, pictures] = process.argv.slice(2);
const driver = await open(site, pictures);
try {
  const page = await driver.person({ language: "nl" });
  await page.goto("/");
  expect((await page.title()) === "Licenties", "the page is in the language of the browser");
  await driver.look(page, "home");
  await page.getByRole("link", { name: "Français" }).click();
  expect((await page.title()) === "Licences", "another language can be chosen");
  await page.keyboard.press("Tab");
  expect((await page.evaluate(() => document.activeElement.className)) === "skip", "the keyboard begins at the skip link");
} finally {
  await driver.close();
}
