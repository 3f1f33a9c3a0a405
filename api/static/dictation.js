// Dictation by the device itself, where the browser offers it; sound is never sent anywhere. Elsewhere the keyboard's own.

export async function offerDictation(button, word, field) {
  const Recognition = window.SpeechRecognition ?? window.webkitSpeechRecognition;
  if (!Recognition?.available) return;
  const language = navigator.language;
  try {
    if (await Recognition.available({ langs: [language], processLocally: true }) !== "available") return;
  } catch {
    return;
  }
  button.hidden = false;
  word.textContent = "Speech is recognised on this device.";
  const recognition = new Recognition();
  recognition.lang = language;
  recognition.processLocally = true;
  recognition.onresult = (event) => {
    const said = [...event.results].slice(event.resultIndex).map((result) => result[0].transcript).join(" ");
    field.value = `${field.value} ${said}`.trim();
    field.dispatchEvent(new Event("input", { bubbles: true })); // a draft keeps what is dictated as it keeps what is typed
  };
  recognition.onend = () => { button.textContent = "Dictate"; };
  button.addEventListener("click", () => {
    if (button.textContent === "Stop") recognition.stop();
    else { recognition.start(); button.textContent = "Stop"; }
  });
}
