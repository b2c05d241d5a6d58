// What the pages gain when scripts run. Everything works without them.

const root = document.documentElement;
root.classList.add("js");

// The menu folds on narrow screens.
for (const button of document.querySelectorAll("[data-cse-menu]")) {
  const menu = document.getElementById(button.getAttribute("aria-controls"));
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    menu.classList.toggle("cse-open", open);
  });
}

// After a refused form the summary takes the focus, so that a screen reader begins there.
document.querySelector("[data-cse-summary]")?.focus();

// A form is sent once: a second click on a slow line must not print twice.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    // A download leaves the page where it is: allow another try later.
    setTimeout(() => delete form.dataset.sent, 5000);
  });
}

// "/" goes to the search field, as the help page of the counter says.
document.addEventListener("keydown", (event) => {
  const field = document.querySelector("[data-cse-search]");
  if (event.key !== "/" || !field || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName)) return;
  event.preventDefault();
  field.focus();
});
