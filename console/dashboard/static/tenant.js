// One tenant's month: quota, cost, days, open sessions, latest entries with the reason for each.

import { call, read } from "./api.js";
import { daysCard } from "./days.js";
import { card, el, put, table, tile, whenChanged } from "./elements.js";
import { quoteCard } from "./quote.js";
import { sessionsCard } from "./sessions.js";
import { count, dayOf, effect, exactTimeOf, minutes, money, monthName, number, reason, signed, timeOf } from "./words.js";

const LATEST = 20;
const ENTRY_COLUMNS = [
  { title: "What happened", wide: true },
  { title: "Session", wide: true, broad: true },
  { title: "When", number: true, broad: true },
  { title: "Minutes", number: true },
];

// Where a tenant reads about itself.
export const ownPlace = {
  usage: "/usage",
  sessions: "/usage/sessions",
  async end(session) {
    const { headers } = await call(session.end.method, session.end.path);
    const back = headers.get("Tollgate-Reversed-Minutes");
    return back === null ? null : Number(back);
  },
};

// Where an operator reads about a tenant.
export function operatorPlace(tenant) {
  const base = `/operator/tenants/${encodeURIComponent(tenant)}`;
  return {
    usage: `${base}/usage`,
    sessions: `${base}/sessions`,
    async end({ session, pool }) {
      const { body } = await call("DELETE", `${base}/sessions?${new URLSearchParams({ session, pool })}`);
      return body.reversed_minutes;
    },
  };
}

// All that the view shows; `period` is null for the current month.
export async function readTenant(place, period, signal) {
  const month = period === null ? "" : `?period=${period}`;
  const statement = await read(`${place.usage}${month}`, signal);
  const [entries, sessions] = await Promise.all([
    read(`${place.usage}/entries?latest=${LATEST}&period=${statement.period}`, signal),
    read(place.sessions, signal),
  ]);
  return { statement, entries: entries.entries.toReversed(), sessions };
}

export function tenantView({ place, own, back, changed }) {
  const title = el("h1", { tabindex: "-1" });
  const subtitle = el("p", { class: "subtitle" });
  const overview = el("div");
  const days = daysCard();
  const sessions = sessionsCard({ end: place.end, changed });
  const latest = el("div");
  const node = el(
    "div",
    { class: "stack" },
    el("div", { class: "title" }, back && el("button", { type: "button", class: "quiet back", onclick: back }, "← All tenants"), title, subtitle),
    overview,
    days.node,
    sessions.node,
    card("Latest entries", { className: "wide" }, latest).node,
    own && quoteCard().node,
  );
  const showOverview = whenChanged((statement) => put(overview, quotaCard(statement), figures(statement)));
  const showEntries = whenChanged((entries) => put(latest, entriesTable(entries)));
  return {
    node,
    title,
    show({ statement, entries, sessions: open }) {
      title.textContent = statement.name || statement.tenant;
      subtitle.textContent = subtitleOf(statement);
      const { complete_until: _, ...lasting } = statement;
      showOverview(lasting);
      days.show({ period: statement.period, days: statement.days });
      sessions.show(open);
      showEntries(entries);
    },
  };
}

function subtitleOf(statement) {
  const state = statement.closed ? "closed, final" : `as of ${exactTimeOf(statement.complete_until)} UTC`;
  return `${monthName(statement.period)} · ${state}`;
}

function quotaCard(statement) {
  const { quota, billed, remaining } = statement.minutes;
  const today = statement.minutes_today;
  const { node } = card(
    "Quota",
    { className: "wide quota" },
    quota === null ? unlimited(billed) : meter("this month", billed, quota, remaining),
    today ? meter("today", today.used, today.quota, today.remaining) : null,
  );
  return node;
}

function unlimited(billed) {
  return el("p", { class: "meter-text" }, el("strong", {}, minutes(billed)), " used this month. There is no monthly quota.");
}

function meter(when, used, quota, remaining) {
  const share = quota > 0 ? Math.min(1, Math.max(0, used / quota)) : 1;
  const fill = el("span", { class: "meter-fill" });
  fill.style.width = `${share * 100}%`;
  const level = share >= 0.9 ? "high" : share >= 0.75 ? "raised" : "usual";
  const percent = quota > 0 ? `${number(Math.round((used / quota) * 1000) / 10)} %` : "no quota";
  const text = `${number(used)} of ${minutes(quota)} used ${when}`;
  return el(
    "div",
    { class: "meter-block" },
    el(
      "p",
      { class: "meter-text" },
      el("span", {}, el("strong", { class: "figure" }, number(used)), ` of ${minutes(quota)} used ${when}`),
      el("span", {}, el("strong", {}, minutes(remaining)), ` remaining · ${percent}`),
    ),
    el(
      "div",
      {
        class: `meter ${level}`,
        role: "meter",
        "aria-label": `Quota ${when}`,
        "aria-valuemin": 0,
        "aria-valuemax": quota,
        "aria-valuenow": Math.min(quota, Math.max(0, used)),
        "aria-valuetext": `${text}, ${minutes(remaining)} remaining`,
      },
      fill,
    ),
  );
}

function figures(statement) {
  const { charged, reversed, adjusted, billed } = statement.minutes;
  const { amount, currency, rate_per_session_hour: rate } = statement.cost;
  const parts = [`${number(charged)} charged`, `${number(reversed)} given back`];
  if (adjusted !== 0) parts.push(`${signed(adjusted)} corrected`);
  return el(
    "dl",
    { class: "tiles" },
    tile("Cost", money(amount, currency), `at ${money(rate, currency)} a session hour`),
    tile("Billed", `${number(billed)} min`, parts.join(", ")),
    tile("Sessions opened", number(statement.sessions_opened), `in steps of ${stepWords(statement.increment_seconds)}`),
  );
}

function stepWords(seconds) {
  return seconds % 60 === 0 ? minutes(seconds / 60) : count(seconds, "second");
}

function whereAndWhen(entry) {
  const when = `${dayOf(entry.at)}, ${timeOf(entry.at)}`;
  return entry.session === null ? when : `${entry.session} · ${when}`;
}

function entriesTable(entries) {
  if (entries.length === 0) return el("p", { class: "empty" }, "Nothing was booked in this month.");
  const rows = entries.map((entry) => [
    el("span", { class: "name" }, reason(entry), el("span", { class: "note narrow" }, whereAndWhen(entry))),
    entry.session === null ? "–" : el("span", { class: "name" }, entry.session),
    el("span", {}, timeOf(entry.at), el("span", { class: "note" }, dayOf(entry.at))),
    el("span", { class: effect(entry) < 0 ? "gain" : null }, signed(effect(entry))),
  ]);
  return table(`The latest ${count(entries.length, "entry", "entries")}, newest first`, ENTRY_COLUMNS, rows);
}
