// A device shows a code, and somebody lets it in: node devices.mjs SITE PICTURES ADDRESS PASSWORD CODE

import { expect, open } from "./driver.mjs";

const [site, pictures, address, password, code] = process.argv.slice(2);
const driver = await open(site, pictures);
try {
  const page = await driver.person();
  await page.goto(`/device?code=${code}`);
  await page.getByLabel("Address").fill(address);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  expect(page.url().endsWith(`/device?code=${code}`), "whoever signs in comes back to the code");
  await page.getByText("another network than yours").waitFor();
  await driver.look(page, "device");
  await page.goto("/device");
  await page.getByLabel("Code").fill(code.toLowerCase().replace("-", " "));
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Let it in" }).click();
  await page.getByRole("status").waitFor();
  await driver.look(page, "device-let-in");
  await page.getByLabel("Code").fill(code);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("alert").waitFor();
  await driver.look(page, "device-unknown");
  await page.getByRole("link", { name: "My devices" }).first().click();
  await driver.look(page, "devices");
  await page.getByRole("button", { name: "Sign out of laptop" }).click();
  await page.getByText("You are signed out of the device").waitFor();
} finally {
  await driver.close();
}
