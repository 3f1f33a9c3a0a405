// Forms with data-send: sent as JSON; what comes of it is read from the server again, what is wrong is said in the form.

import { fieldsOf, problemOf, send } from "/static/sending.js";

for (const form of document.querySelectorAll("form[data-send]")) {
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = form.querySelector(".form-problem");
    button.disabled = true;
    said.textContent = "";
    try {
      // one key for each sending of a form that asks for it: what was sent and not answered is done once
      const headers = "once" in form.dataset ? { "Idempotency-Key": (form.dataset.key ||= crypto.randomUUID()) } : {};
      const answer = await send(form.dataset.send, fieldsOf(form), { method: form.dataset.method ?? "POST", headers });
      if (answer.ok) {
        location.reload();
        return;
      }
      const problem = await problemOf(answer);
      said.textContent = problem.text;
      const seen = form.elements.reminder_seen;
      if (seen && problem.type?.endsWith(":reminder")) seen.closest("label").hidden = false;
    } catch {
      // it may have been done, and the answer lost
      said.textContent = `The connection broke: whether it was saved is not known. ${"once" in form.dataset ? "Try again: it is saved once." : "Read this page again before you try once more."}`;
    }
    button.disabled = false;
  });
  button.disabled = false; // until here a click would have been lost
}
