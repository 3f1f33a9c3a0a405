// Fields that choose a colleague: filled when what they stand in is opened, from the one list of the page.

const list = document.getElementById("people");

document.addEventListener("toggle", ({ target }) => {
  for (const field of target.querySelectorAll("select[data-people]")) {
    field.append(list.content.cloneNode(true));
    delete field.dataset.people;
  }
}, true); // a toggle does not bubble
