// The days of a month as a chart and as a table: one tenant's, or the sums of all.

import { barChart, tableBehind } from "./chart.js";
import { card, put, whenChanged } from "./elements.js";
import { count, dayName, daysIn, minutes, number } from "./words.js";

export function daysCard({ height } = {}) {
  const chart = barChart({ unit: "minutes", height });
  const behind = tableBehind("Minutes by day", [
    { title: "Day" },
    { title: "Minutes", number: true },
    { title: "Sessions opened", number: true },
  ]);
  const { node } = card("Days", { className: "wide" }, chart.node, behind.node);
  const show = whenChanged(({ period, days }) => {
    const known = new Map(days.map((day) => [Number(day.date.slice(8)), day]));
    const bars = Array.from({ length: daysIn(period) }, (_, index) => {
      const day = known.get(index + 1);
      return { label: String(index + 1), value: day?.minutes ?? 0, hint: hint(period, index + 1, day) };
    });
    chart.show(bars, description(days));
    const rows = days.map((day) => [dayName(day.date), number(day.minutes), number(day.sessions)]);
    behind.show(rows.length ? rows : [["No day has entries", "–", "–"]]);
  });
  return { node, show };
}

function hint(period, ordinal, day) {
  const name = dayName(`${period}-${String(ordinal).padStart(2, "0")}`);
  return day ? `${name}: ${minutes(day.minutes)}, ${count(day.sessions, "session")}` : `${name}: nothing`;
}

function description(days) {
  if (days.length === 0) return "Bar chart of minutes by day: nothing yet in this month.";
  const busiest = days.reduce((most, day) => (day.minutes > most.minutes ? day : most));
  return (
    `Bar chart of minutes by day, for ${count(days.length, "day")} with entries; the busiest is ` +
    `${dayName(busiest.date)} with ${minutes(busiest.minutes)}. The table below has all of them.`
  );
}
