// Fetches the changing part of the timeline every second, and says so when it cannot.
"use strict";
const place = document.getElementById("timeline");
const live = document.getElementById("live");

async function refresh() {
  try {
    const answer = await fetch(place.dataset.source);
    if (!answer.ok) throw new Error(answer.headers.get("X-Error") || answer.status);
    const html = await answer.text();
    // A form under somebody's pointer is left alone until the pointer has gone.
    if (!place.querySelector("button:hover, button:focus")) place.innerHTML = html;
    live.textContent = "live";
    live.classList.remove("lost");
  } catch (error) {
    live.textContent = error.message;
    live.classList.add("lost");
  }
  setTimeout(refresh, 1000);
}
setTimeout(refresh, 1000);
