// A passkey is made, used and removed, with the authenticator of Chromium's own tests: node passkeys.mjs SITE PICTURES ADDRESS PASSWORD

import { expect, open } from "./driver.mjs";

const [site, pictures, address, password] = process.argv.slice(2);
const driver = await open(site, pictures);
try {
  const page = await driver.person();
  const debug = await page.context().newCDPSession(page);
  await debug.send("WebAuthn.enable");
  await debug.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });

  await page.goto("/sign-in");
  await driver.look(page, "sign-in");
  await page.getByLabel("Address").fill(address);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("link", { name: "My account" }).click();
  await driver.look(page, "account");
  await page.getByRole("link", { name: "See, add and remove your passkeys" }).click();
  await page.getByLabel("Name").fill("Ann's laptop");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByRole("rowheader", { name: "Ann's laptop" }).waitFor();
  await driver.look(page, "passkeys");
  await page.getByRole("button", { name: "Sign out" }).click();

  await page.goto("/sign-in?to=/account/passkeys");
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.waitForURL("**/account/passkeys");
  expect((await page.getByText("never").count()) === 0, "the page says when the passkey was used");
  await page.getByRole("button", { name: "Remove Ann's laptop" }).click();
  await page.getByText("You have no passkey yet").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();

  await page.goto("/sign-in");
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.getByText("no passkey of an account here").first().waitFor();

  const plain = await driver.person({ javaScript: false });
  await plain.goto("/sign-in");
  expect(!(await plain.getByRole("button", { name: "Sign in with a passkey" }).isVisible()), "without JavaScript it is not offered");
} finally {
  await driver.close();
}
