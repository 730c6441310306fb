// The page's state: whose usage is shown, of which month; and what is fetched when.

import { ApiError, forgetKey, hasKey, useKey } from "./api.js";
import { el } from "./elements.js";
import { operatorView, readReport } from "./operator.js";
import { operatorPlace, ownPlace, readTenant, tenantView } from "./tenant.js";
import { monthName, periodOf, periodsUntil } from "./words.js";

const REFRESH_MS = 30_000;
const MONTHS = 24;
const byId = (id) => document.getElementById(id);
const part = Object.fromEntries(
  ["automatic", "controls", "enter", "entrance", "forget", "key", "key-form", "key-problem", "month", "problem",
    "refresh", "status", "view"].map((id) => [id, byId(id)]),
);

// `scene` draws what is shown: `{load(signal) -> data, show(data), node, title, name(data)}`. `period` is null for the
// current month, whichever that is when it is fetched.
let scene = null;
let period = null;
let current = null;
let pages = 1;
let aheadMs = 0; // of this device's clock, is Tollgate's
let loading = null;
let timer = null;

function ownScene() {
  const view = tenantView({ place: ownPlace, own: true, changed: refreshQuietly });
  const load = (signal) => readTenant(ownPlace, period, signal);
  return { ...view, load, name: ({ statement }) => statement.name || statement.tenant, periodOf: (data) => data.statement.period };
}

function reportScene() {
  const more = () => {
    pages += 1;
    refreshQuietly();
  };
  const view = operatorView({ choose: (line) => enter(tenantScene(line.tenant), { focus: true }), more });
  const load = (signal) => readReport(period ?? presentMonth(), pages, signal);
  return { ...view, load, name: () => "All tenants", periodOf: (data) => data.period };
}

function tenantScene(tenant) {
  const place = operatorPlace(tenant);
  const back = async () => {
    const report = reportScene();
    if (await enter(report)) report.tenants.focusOn(tenant);
  };
  const view = tenantView({ place, own: false, back, changed: refreshQuietly });
  const load = (signal) => readTenant(place, period, signal);
  return { ...view, load, name: ({ statement }) => statement.name || tenant, periodOf: (data) => data.statement.period };
}

// Fetches what a scene shows, and shows it. A later fetch makes an earlier one void. Resolves to whether it is shown.
async function enter(next, { focus = false, announce = "" } = {}) {
  loading?.abort();
  const mine = new AbortController();
  loading = mine;
  part.view.setAttribute("aria-busy", "true");
  try {
    const data = await next.load(mine.signal);
    if (mine.signal.aborted) return false;
    present(next, data);
    if (focus) next.title.focus();
    if (announce) part.status.textContent = announce;
    return true;
  } catch (error) {
    if (error.name === "AbortError" || mine.signal.aborted) return false;
    failed(error);
    return false;
  } finally {
    if (loading === mine) {
      loading = null;
      part.view.removeAttribute("aria-busy");
    }
  }
}

function present(next, data) {
  if (scene !== next) part.view.replaceChildren(next.node);
  scene = next;
  part.view.hidden = false; // before drawing: a chart is as wide as its place
  next.show(data);
  showMonths(next.periodOf(data));
  document.title = `${next.name(data)} · ${monthName(next.periodOf(data))} · Tollgate`;
  part.problem.hidden = true;
}

// A key that holds no longer leads back to the entrance; anything else leaves on the page what was there.
function failed(error) {
  if (error.status === 401) {
    leave(error.message);
    return;
  }
  const message = error instanceof ApiError ? error.message : "This page failed; reload it and try again.";
  part.problem.textContent = `${message} What you see may be out of date.`;
  part.problem.hidden = false;
  if (!(error instanceof ApiError)) throw error;
}

const presentMonth = () => periodOf(new Date(Date.now() + aheadMs));
const refreshQuietly = () => scene && enter(scene);

function showMonths(shown) {
  if (period === null && (current === null || shown > current)) current = shown;
  const periods = periodsUntil(current, MONTHS);
  if (part.month.options[0]?.value !== periods[0]) {
    part.month.replaceChildren(...periods.map((value) => el("option", { value }, monthName(value))));
  }
  part.month.value = shown;
}

// A tenant's key may read its usage; where it may not, it may be an operator's.
async function start() {
  try {
    return { first: await readTenant(ownPlace, null), made: ownScene() };
  } catch (error) {
    if (error.code !== "ScopeNotAllowed") throw error;
    aheadMs = error.date === null ? 0 : error.date - Date.now();
    return { first: await readReport(presentMonth(), 1), made: reportScene() };
  }
}

async function submit(event) {
  event.preventDefault();
  const text = part.key.value.trim();
  part["key-problem"].textContent = "";
  part.key.removeAttribute("aria-invalid");
  if (text === "") {
    refuse("Enter an API key.");
    return;
  }
  part.enter.disabled = true;
  try {
    useKey(text);
    const { first, made } = await start();
    part.key.value = "";
    part.entrance.hidden = true;
    part.controls.hidden = false;
    present(made, first);
    made.title.focus();
    schedule();
  } catch (error) {
    forgetKey();
    refuse(error instanceof ApiError ? error.message : "This page failed; reload it and try again.");
    if (!(error instanceof ApiError)) throw error;
  } finally {
    part.enter.disabled = false;
  }
}

function refuse(message) {
  part["key-problem"].textContent = message;
  part.key.setAttribute("aria-invalid", "true");
  part.key.focus();
  part.key.select();
}

// Nothing that the key showed stays on the page.
function leave(message = "") {
  forgetKey();
  loading?.abort();
  clearInterval(timer);
  [scene, period, current, pages] = [null, null, null, 1];
  part.view.replaceChildren();
  part.view.hidden = true;
  part.problem.hidden = true;
  part.controls.hidden = true;
  part.entrance.hidden = false;
  part.key.value = "";
  document.title = "Tollgate";
  part.status.textContent = message ? "" : "The key is forgotten.";
  if (message) refuse(message);
  else part.key.focus();
}

function schedule() {
  clearInterval(timer);
  if (!part.automatic.checked) return;
  timer = setInterval(() => {
    if (!document.hidden && loading === null && hasKey()) refreshQuietly();
  }, REFRESH_MS);
}

part["key-form"].addEventListener("submit", submit);
part.controls.addEventListener("submit", (event) => event.preventDefault());
part.forget.addEventListener("click", () => leave());
part.automatic.addEventListener("change", schedule);
part.refresh.addEventListener("click", async () => {
  part.status.textContent = "";
  if (scene) await enter(scene, { announce: "Refreshed." });
});
part.month.addEventListener("change", () => {
  period = part.month.value === current ? null : part.month.value;
  pages = 1;
  if (scene) enter(scene, { announce: `Showing ${monthName(part.month.value)}.` });
});
