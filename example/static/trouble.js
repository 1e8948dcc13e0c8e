// Makes a trouble, sends visitors afterwards, and tells who met an error. Draws the live charts.
"use strict";
const VISITS = 8;
const WARM_UP = 40;
const log = document.getElementById("log");
const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
const charts = document.querySelector(".charts");
const schedule = document.getElementById("schedule");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function visit(address) {
  try {
    const answer = await fetch(address);
    await answer.text();
    return answer.ok ? "" : answer.headers.get("X-Error") || String(answer.status);
  } catch {
    return "no answer";
  }
}

async function crowd(address, count) {
  return Promise.all(Array.from({ length: count }, () => visit(address)));
}

// Every worker gets a connection that works, so that each trouble starts from health.
async function warmUp() {
  let left = WARM_UP;
  while (left > 0) {
    const errors = (await crowd("/markets/golds/", VISITS)).filter(Boolean);
    if (!errors.length) return;
    left -= VISITS;
  }
}

function told(title, errors) {
  const wrong = errors.filter(Boolean);
  const kinds = [...new Set(wrong)].join(", ");
  const text = wrong.length
    ? `${title}: ${wrong.length} of ${errors.length} failed: ${kinds}`
    : `${title}: all ${errors.length} fine`;
  return { text, ok: !wrong.length };
}

async function make(form) {
  const answer = await fetch(`/trouble/${form.dataset.trouble}/`, {
    method: "POST",
    headers: { "X-CSRFToken": token },
    body: new FormData(form),
  });
  if (answer.redirected) return [{ text: "You are logged out. Load this page again.", ok: false }];
  if (answer.status === 409) return [{ text: (await answer.json()).refused, ok: true }];
  if (answer.ok) return (await answer.json()).steps;
  return [{ text: `The request itself failed: ${answer.headers.get("X-Error") || answer.status}`, ok: false }];
}

function show(item, steps) {
  const list = element("ul");
  for (const step of steps) list.append(element("li", step.text, step.ok ? "" : "wrong"));
  const survived = steps.every((step) => step.ok);
  item.append(element("span", survived ? " survived" : " broke", "verdict"), list);
  item.dataset.verdict = survived ? "survived" : "broke";
}

async function trouble(event) {
  event.preventDefault();
  const form = event.target;
  const buttons = [...document.querySelectorAll(".troubles button:enabled")];
  buttons.forEach((button) => (button.disabled = true));
  if (!log.querySelector("[data-trouble]")) log.replaceChildren();
  const item = element("li");
  item.dataset.trouble = form.dataset.trouble;
  item.append(element("strong", form.querySelector("h3").textContent));
  log.prepend(item);
  comeIntoView(item);
  try {
    await warmUp();
    const steps = await make(form);
    steps.push(told("Visitors of the market page", await crowd("/markets/golds/", VISITS)));
    steps.push(told("Questions to the RPC service", await crowd("/markets/exists/?symbol=GOLD", 2)));
    show(item, steps);
  } catch {
    show(item, [{ text: "The site did not answer.", ok: false }]);
  }
  comeIntoView(item);
  buttons.forEach((button) => (button.disabled = false));
}

// On a phone the log is below the buttons.
function comeIntoView(item) {
  item.scrollIntoView({ block: "nearest" });
}

function draw(figure, values) {
  const top = Math.max(4, ...values);
  const points = values.map((value, n) => `${((n * 300) / (values.length - 1)).toFixed(1)} ${(67 - (value / top) * 62).toFixed(1)}`);
  const line = "M" + points.join(" L");
  figure.querySelector("svg").innerHTML = `<path class="area" d="${line} L300 70 L0 70 Z"/><path d="${line}"/>`;
  const level = figure.dataset.series === "connections";
  figure.querySelector("b").textContent = level ? values[values.length - 1] : values.reduce((sum, value) => sum + value, 0);
}

async function refresh() {
  if (!document.hidden) await drawAll();
  setTimeout(refresh, 1000);
}

async function drawAll() {
  try {
    const answer = await fetch(charts.dataset.source, { signal: AbortSignal.timeout(10000) });
    const pulse = await answer.json();
    for (const figure of charts.children) draw(figure, pulse.series[figure.dataset.series]);
    const late = pulse.at - (pulse.schedule.at || 0) > 15;
    const well = pulse.schedule.ok && !late;
    schedule.textContent = "schedule: " + (well ? "running" : pulse.schedule.error || "silent");
    schedule.className = "state " + (well ? "ok" : "failed");
  } catch {
    schedule.textContent = "The site does not answer; trying again.";
    schedule.className = "state failed";
  }
}

document.querySelectorAll(".troubles form").forEach((form) => form.addEventListener("submit", trouble));
refresh();
