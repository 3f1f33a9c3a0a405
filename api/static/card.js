// Sends the ticket that stands behind the # of this page's address: there no server, log or referrer sees it. It is
// taken out of the address first, so that the history does not keep it either.
const form = document.querySelector("form.framed-opening");
form.elements.ticket.value = window.location.hash.slice(1);
window.history.replaceState(null, "", window.location.pathname);
form.submit();
