// Sends forms without loading the whole page again. Without this script, everything works too.

const status = document.querySelector("[role=status]");

document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  try {
    const response = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form, event.submitter)),
    });
    show(new DOMParser().parseFromString(await response.text(), "text/html"), form);
  } catch {
    status.textContent = "The server does not answer. Please try again.";
  }
});

function show(answer, form) {
  const focused = document.activeElement?.id;
  const adding = form.classList.contains("entry");
  document.querySelector("main").replaceWith(answer.querySelector("main"));
  const next = adding ? "new" : focused;
  (document.getElementById(next || "new") ?? document.getElementById("new")).focus();
  status.textContent = document.getElementById("summary")?.textContent ?? "The list is empty.";
}
