// Pages of a report as one report. The totals of a page are of its own lines, so they are summed here, money exactly.

import { sumOfMoney } from "./words.js";

const PLACES = 1e6; // minutes are sums of increments: whole microminutes and no dust of binary fractions

const sum = (values) => Math.round(values.reduce((total, value) => total + value, 0) * PLACES) / PLACES;

export function combine(pages) {
  const totals = pages.map((page) => page.totals);
  const numbers = (name) => sum(totals.map((total) => total[name]));
  const amounts = (name) => sumOfMoney(totals.map((total) => total[name]));
  const last = pages[pages.length - 1];
  return {
    ...last,
    pages: pages.length,
    lines: pages.flatMap((page) => page.lines),
    totals: {
      tenants: numbers("tenants"),
      minutes: { billed: sum(totals.map((total) => total.minutes.billed)) },
      sessions_opened: numbers("sessions_opened"),
      pool_minutes: numbers("pool_minutes"),
      stranded_minutes: numbers("stranded_minutes"),
      cost: amounts("cost"),
      pool_cost: amounts("pool_cost"),
      margin: amounts("margin"),
      days: daysOf(totals),
    },
  };
}

function daysOf(totals) {
  const days = new Map();
  for (const { date, minutes, sessions } of totals.flatMap((total) => total.days)) {
    const before = days.get(date) ?? { minutes: 0, sessions: 0 };
    days.set(date, { date, minutes: sum([before.minutes, minutes]), sessions: before.sessions + sessions });
  }
  return [...days.values()].sort((one, other) => one.date.localeCompare(other.date));
}
