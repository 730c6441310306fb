// The table of all tenants: sorted by any column, filtered by name, drawn in parts however many there are.

import { card, el, put, row, scrolling, uniqueId } from "./elements.js";
import { amount, count, number } from "./words.js";

const SHOWN_AT_FIRST = 100;
const size = (text) => (text === null ? null : Number(text)); // to compare, never to show
const share = ({ minutes }) => (minutes.quota === null ? null : minutes.quota > 0 ? minutes.billed / minutes.quota : 1);

const COLUMNS = [
  { title: "Tenant", wide: true, by: (line) => (line.name || line.tenant).toLowerCase() },
  { title: "Quota used", by: share },
  { title: "Billed minutes", number: true, by: (line) => line.minutes.billed },
  { title: "Owes", number: true, by: (line) => size(line.cost) },
  { title: "Pool cost", number: true, by: (line) => size(line.pool_cost) },
  { title: "Margin", number: true, by: (line) => size(line.margin) },
];

// `choose(line)` opens a tenant, `more()` fetches the next page.
export function tenantsCard({ choose, more }) {
  const filter = el("input", { id: uniqueId("filter"), type: "search", autocomplete: "off", spellcheck: "false" });
  const found = el("p", { class: "hint", role: "status" });
  const body = el("tbody");
  const heads = COLUMNS.map((column, index) => sortHead(column, () => sortBy(index)));
  const grid = el(
    "table",
    { class: "tenants" },
    el("caption", { class: "unseen" }, "All tenants"),
    el("thead", {}, el("tr", {}, heads.map((head) => head.node))),
    body,
  );
  const rest = el("button", { type: "button", onclick: () => showMore() }, "Show more rows");
  const next = el("button", { type: "button", onclick: more }, "Load the next tenants");
  const field = el("div", { class: "field filter" }, el("label", { for: filter.id }, "Filter by name or id"), filter);
  const buttons = el("div", { class: "buttons" }, rest, next);
  const { node } = card("Tenants", { className: "wide", extra: field }, found, scrolling("All tenants", grid), buttons);

  let report = { lines: [], next: null, currency: "" };
  let [sorted, ascending, shown] = [2, false, SHOWN_AT_FIRST];

  const draw = () => {
    const lines = order(matching(report.lines, filter.value), COLUMNS[sorted].by, ascending);
    heads.forEach((head, index) => head.mark(index === sorted ? (ascending ? "ascending" : "descending") : null));
    put(body, ...lines.slice(0, shown).map((line) => row(COLUMNS, cells(line, choose))));
    found.textContent = told(lines.length, Math.min(shown, lines.length), report);
    rest.hidden = lines.length <= shown;
    next.hidden = report.next === null;
  };
  const sortBy = (index) => {
    ascending = index === sorted ? !ascending : index === 0;
    sorted = index;
    draw();
  };
  const showMore = () => {
    shown += SHOWN_AT_FIRST;
    draw();
  };
  filter.addEventListener("input", () => {
    shown = SHOWN_AT_FIRST;
    draw();
  });
  return {
    node,
    show(newReport) {
      report = newReport;
      draw();
    },
    focusOn(tenant) {
      [...body.querySelectorAll("button")].find((button) => button.dataset.focus === `tenant ${tenant}`)?.focus();
    },
  };
}

function sortHead(column, sort) {
  const arrow = el("span", { class: "arrow", "aria-hidden": "true" });
  const button = el("button", { type: "button", class: "sort", onclick: sort }, column.title, arrow);
  const node = el("th", { scope: "col", class: column.number ? "number" : null }, button);
  return {
    node,
    mark(direction) {
      if (direction === null) node.removeAttribute("aria-sort");
      else node.setAttribute("aria-sort", direction);
      arrow.textContent = { ascending: " ▲", descending: " ▼" }[direction] ?? "";
    },
  };
}

function matching(lines, text) {
  const wanted = text.trim().toLowerCase();
  return lines.filter((line) => line.tenant.includes(wanted) || line.name.toLowerCase().includes(wanted));
}

// What has no value comes last, whichever the direction.
function order(lines, by, ascending) {
  const compare = (one, other) => (typeof one === "string" ? one.localeCompare(other) : one - other);
  return lines.toSorted((one, other) => {
    const [a, b] = [by(one), by(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    return ascending ? compare(a, b) : compare(b, a);
  });
}

function told(matched, shown, { lines, currency }) {
  const of = matched === lines.length ? "" : `${number(matched)} of `;
  const part = shown < matched ? `, ${number(shown)} of them shown` : "";
  return `${of}${count(lines.length, "tenant")}${part}. Amounts in ${currency}.`;
}

function cells(line, choose) {
  const name = line.name || line.tenant;
  const button = { type: "button", class: "link", "data-focus": `tenant ${line.tenant}`, onclick: () => choose(line) };
  return [
    el("span", { class: "name" }, el("button", button, name), name !== line.tenant && el("span", { class: "note" }, line.tenant)),
    quota(line),
    number(line.minutes.billed),
    amount(line.cost),
    line.pool_cost === null ? "not counted" : amount(line.pool_cost),
    line.margin === null ? "–" : margin(line.margin),
  ];
}

function margin(text) {
  if (!text.startsWith("-")) return amount(text);
  return el("span", { class: "loss" }, el("span", { class: "tag" }, "loss"), amount(text));
}

function quota(line) {
  const used = share(line);
  if (used === null) return el("span", { class: "note inline" }, "no quota");
  const fill = el("span", { class: "meter-fill" });
  fill.style.width = `${Math.min(1, Math.max(0, used)) * 100}%`;
  const level = used >= 0.9 ? "high" : used >= 0.75 ? "raised" : "usual";
  return el(
    "span",
    { class: "quota-cell" },
    el("span", { class: `meter slim ${level}`, "aria-hidden": "true" }, fill),
    el("span", {}, `${number(Math.round(used * 100))} % of ${number(line.minutes.quota)}`),
  );
}
