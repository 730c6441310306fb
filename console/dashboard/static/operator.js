// All tenants of a month: what they were billed, what the pool cost, on whom money is lost.

import { read } from "./api.js";
import { barChart, tableBehind } from "./chart.js";
import { daysCard } from "./days.js";
import { card, el, put, tile, whenChanged } from "./elements.js";
import { combine } from "./report.js";
import { tenantsCard } from "./tenants.js";
import { exactTimeOf, minutes, money, monthName, number } from "./words.js";

const PAGE = 1000;
const BUSIEST = 10;

// The first pages of a report, as many as were asked for, as one.
export async function readReport(period, pages, signal) {
  const found = [];
  let path = `/operator/reports/${period}?limit=${PAGE}`;
  while (path !== null && found.length < pages) {
    const page = await read(path, signal);
    found.push(page);
    path = page.next;
  }
  return combine(found);
}

export function operatorView({ choose, more }) {
  const title = el("h1", { tabindex: "-1" }, "All tenants");
  const subtitle = el("p", { class: "subtitle" });
  const partial = el("p", { class: "partial", hidden: true });
  const overview = el("div");
  const days = daysCard({ height: 310 });
  const busiest = busiestCard();
  const tenants = tenantsCard({ choose, more });
  const node = el(
    "div",
    { class: "stack" },
    el("div", { class: "title" }, title, subtitle),
    partial,
    overview,
    el("div", { class: "pair" }, days.node, busiest.node),
    tenants.node,
  );
  const showOverview = whenChanged((report) => put(overview, figures(report)));
  return {
    node,
    title,
    show(report) {
      const state = report.closed ? "closed, final" : `as of ${exactTimeOf(report.complete_until)} UTC`;
      subtitle.textContent = `${monthName(report.period)} · ${state}`;
      partial.hidden = report.next === null;
      partial.textContent = `These are the first ${number(report.lines.length)} tenants; the sums are theirs alone.`;
      showOverview({ totals: report.totals, currency: report.currency });
      days.show({ period: report.period, days: report.totals.days });
      busiest.show(report.lines);
      tenants.show(report);
    },
    tenants,
  };
}

function figures({ totals, currency }) {
  const loss = totals.margin.startsWith("-");
  return el(
    "dl",
    { class: "tiles" },
    tile("Billed", `${number(totals.minutes.billed)} min`, `${number(totals.sessions_opened)} sessions opened`),
    tile("Tenants owe", money(totals.cost, currency), `${number(totals.tenants)} tenants`),
    tile("Pool cost", money(totals.pool_cost, currency), `${number(totals.pool_minutes)} min, estimated`),
    tile(loss ? "Margin: a loss" : "Margin", money(totals.margin, currency), "owed less pool cost", loss ? "loss" : ""),
    tile("Stranded", `${number(totals.stranded_minutes)} min`, "billed by the pool, sold to nobody"),
  );
}

function busiestCard() {
  const chart = barChart({ lying: true, unit: "minutes" });
  const behind = tableBehind("Busiest tenants", [{ title: "Tenant", wide: true }, { title: "Minutes billed", number: true }]);
  const nothing = el("p", { class: "empty" }, "No tenant was billed in this month.");
  const { node } = card("Busiest tenants", { className: "wide" }, nothing, chart.node, behind.node);
  const show = whenChanged((lines) => {
    const busiest = lines
      .map((line) => ({ name: line.name || line.tenant, billed: line.minutes.billed }))
      .filter(({ billed }) => billed > 0)
      .sort((one, other) => other.billed - one.billed)
      .slice(0, BUSIEST);
    for (const part of [chart.node, behind.node]) part.hidden = busiest.length === 0;
    nothing.hidden = busiest.length > 0;
    if (busiest.length === 0) return;
    const bars = busiest.map(({ name, billed }) => ({ label: name, value: billed, hint: `${name}: ${minutes(billed)}` }));
    chart.show(bars, `Bar chart of the busiest tenants; first is ${bars[0].hint}. The table below has all of them.`);
    behind.show(busiest.map(({ name, billed }) => [el("span", { class: "name" }, name), number(billed)]));
  });
  return { node, show };
}
