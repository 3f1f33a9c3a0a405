// Fields that choose a colleague: filled when what they stand in is opened, from the one list of the page.

const list = document.getElementById("people");

function fill(part) {
  for (const field of part.querySelectorAll("select[data-people]")) {
    field.append(list.content.cloneNode(true));
    delete field.dataset.people;
  }
}

document.addEventListener("toggle", ({ target }) => fill(target), true); // a toggle does not bubble
for (const part of document.querySelectorAll("details[open]")) fill(part); // opened before this was read
