// Fetches the changing part of the timeline again and again, and says in words when it cannot.
"use strict";
const place = document.getElementById("timeline");
const EVERY = Number(place.dataset.every);
const RARELY = 8 * EVERY;
const PATIENCE = 10 * EVERY;
const live = document.getElementById("live");
const state = { failures: 0, shown: content(place), since: new Date(), busy: false, leaving: false, timer: 0 };

// Without what is new in every answer: the tokens of its forms.
function content(node) {
  const copy = node.cloneNode(true);
  copy.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((it) => it.remove());
  return copy.innerHTML;
}

function show(html) {
  const fresh = document.createElement("div");
  fresh.innerHTML = html;
  // What did not change stays, and with it whatever somebody is selecting. A form under somebody's
  // pointer is left alone until the pointer has gone.
  if (content(fresh) === state.shown || place.querySelector("button:hover, button:focus-visible")) return;
  place.replaceChildren(...fresh.childNodes);
  state.shown = content(place);
}

function tell(problem) {
  const time = state.since.toLocaleTimeString();
  live.textContent = problem ? `${problem} Shown is what was known at ${time}; trying again.` : "live";
  live.classList.toggle("lost", Boolean(problem));
}

async function fetched() {
  const signal = AbortSignal.timeout(PATIENCE);
  let answer;
  try {
    answer = await fetch(place.dataset.source, { signal, cache: "no-store" });
    if (answer.ok) return [await answer.text(), ""];
  } catch {
    return ["", "The site does not answer."];
  }
  return ["", `The site answers with an error: ${answer.headers.get("X-Error") || answer.status}.`];
}

// One request at a time, none in a tab that nobody sees, and fewer while they fail.
async function refresh() {
  clearTimeout(state.timer);
  state.busy = true;
  const [html, problem] = await fetched();
  state.busy = false;
  if (state.leaving) return;
  if (!problem) {
    show(html);
    state.since = new Date();
  }
  state.failures = problem ? state.failures + 1 : 0;
  tell(problem);
  next();
}

function next() {
  if (document.hidden) return;
  state.timer = setTimeout(refresh, Math.min(EVERY * 2 ** state.failures, RARELY));
}

document.addEventListener("visibilitychange", () => {
  // A tab that was hidden shows the present at once; one with a request on its way waits for it.
  if (document.hidden) clearTimeout(state.timer);
  else if (!state.busy && !state.leaving) refresh();
});
document.addEventListener("submit", () => {
  // Pressed twice is sent once, and the page that comes next shows what became of it.
  state.leaving = true;
  setTimeout(() => document.querySelectorAll("button").forEach((it) => (it.disabled = true)));
});
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
next();
