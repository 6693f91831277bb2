// Makes passkeys and signs in with them. Without JavaScript, or in a browser that has none of this, the forms stay hidden.
"use strict";

const isAble =
  window.PublicKeyCredential &&
  PublicKeyCredential.parseCreationOptionsFromJSON &&
  PublicKeyCredential.parseRequestOptionsFromJSON;

async function answerOf(form) {
  const asked = await fetch(form.dataset.begin, { method: "POST" });
  if (!asked.ok) throw new Error(await asked.text());
  const options = await asked.json();
  if (form.dataset.passkey === "make") {
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  }
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
}

for (const form of isAble ? document.querySelectorAll("form[data-passkey]") : []) {
  const failed = form.querySelector("[role=alert]");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failed.hidden = true;
    try {
      const answer = await answerOf(form);
      form.elements.answer.value = JSON.stringify(answer.toJSON());
      form.submit();
    } catch (error) {
      // Closing the window of the browser is no fault; either way nothing was changed.
      failed.hidden = false;
    }
  });
}
