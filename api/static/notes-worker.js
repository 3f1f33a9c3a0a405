// Keeps the page for writing notes usable without a connection. Only that page and what it loads are kept, nothing that
// names a customer; everything else goes to the server as if this were not here.

const CACHE = "notes-5";
const LOADED = ["/static/sojourn.css", "/static/mark.svg", "/static/capture.js", "/static/sending.js", "/static/queue.js", "/static/drafts.js",
  "/static/reminder.js", "/static/reminders.js", "/static/dictation.js"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([...LOADED, "/notes/new"])).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
    await self.clients.claim();
    for (const page of await self.clients.matchAll()) await keepPage(page.url); // opened before this worker was there
  })());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname === "/notes/new") event.respondWith(newestPage(event.request, url));
  else if (LOADED.includes(url.pathname)) event.respondWith(newest(event.request, url.pathname));
});

// which customer a page was opened for is not kept
function keyOf(url) {
  const store = url.searchParams.get("store");
  return store ? `/notes/new?store=${encodeURIComponent(store)}` : "/notes/new";
}

async function keepPage(address) {
  const url = new URL(address);
  if (url.pathname !== "/notes/new") return;
  const answer = await fetch(keyOf(url)).catch(() => null);
  if (answer && await isThePage(answer)) await (await caches.open(CACHE)).put(keyOf(url), answer);
}

async function newestPage(request, url) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (await isThePage(answer)) await cache.put(keyOf(url), answer.clone());
    if (answer.status < 500) return answer;
  } catch {
    // no connection
  }
  return (await cache.match(keyOf(url))) ?? (await cache.match("/notes/new")) ?? Response.error();
}

// A hotspot's login page comes with 200 too, and must not stand where the page for notes was.
async function isThePage(answer) {
  return answer.ok && !answer.redirected && isHtml(answer) && (await answer.clone().text()).includes('id="capture-page"');
}

function isHtml(answer) {
  return (answer.headers.get("Content-Type") ?? "").startsWith("text/html");
}

async function newest(request, key) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (answer.ok && !isHtml(answer)) await cache.put(key, answer.clone());
    return answer;
  } catch {
    return (await cache.match(key)) ?? Response.error();
  }
}
