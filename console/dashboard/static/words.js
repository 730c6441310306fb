// The API's values in plain words. Money is decimal text from the API and is never made a binary fraction.

const MONEY_PLACES = 4;
const MONEY_UNIT = 10n ** BigInt(MONEY_PLACES);
const UTC = { timeZone: "UTC" };
const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat("en-GB", { ...UTC, hour: "2-digit", minute: "2-digit" });
const exactClock = new Intl.DateTimeFormat("en-GB", { ...UTC, hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shortDay = new Intl.DateTimeFormat("en-GB", { ...UTC, day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat("en-GB", { ...UTC, weekday: "short", day: "numeric", month: "long" });
const month = new Intl.DateTimeFormat("en", { ...UTC, month: "long", year: "numeric" });

export const number = (value) => numbers.format(value).replace("-", "−");
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;
export const minutes = (value) => count(value, "minute");
export const signed = (value) => (value > 0 ? `+${number(value)}` : number(value));

export const timeOf = (instant) => clock.format(new Date(instant));
export const exactTimeOf = (instant) => exactClock.format(new Date(instant));
export const dayOf = (instant) => shortDay.format(new Date(instant));
export const dayName = (date) => longDay.format(new Date(`${date}T00:00:00Z`));
export const monthName = (period) => month.format(new Date(`${period}-01T00:00:00Z`));
export const periodOf = (date) => date.toISOString().slice(0, 7);

export function daysIn(period) {
  const [year, ordinal] = period.split("-").map(Number);
  return new Date(Date.UTC(year, ordinal, 0)).getUTCDate();
}

// The period and those before it, newest first.
export function periodsUntil(period, many) {
  const [year, ordinal] = period.split("-").map(Number);
  return Array.from({ length: many }, (_, back) => periodOf(new Date(Date.UTC(year, ordinal - 1 - back, 1))));
}

// "1234.5000" and "USD" -> "1,234.50 USD"; places beyond cents only where they hold something.
export function money(text, currency) {
  const [whole, fraction] = amount(text).split(".");
  return `${whole}.${fraction.replace(/0+$/, "").padEnd(2, "0")} ${currency}`;
}

// "1234.5" -> "1,234.5000": for columns, whose points stand below each other.
export function amount(text) {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  return `${sign && "−"}${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${fraction.padEnd(MONEY_PLACES, "0")}`;
}

// The exact sum of amounts.
export function sumOfMoney(texts) {
  const sum = texts.reduce((total, text) => total + units(text), 0n);
  const size = sum < 0n ? -sum : sum;
  return `${sum < 0n ? "-" : ""}${size / MONEY_UNIT}.${String(size % MONEY_UNIT).padStart(MONEY_PLACES, "0")}`;
}

function units(text) {
  const [whole, fraction = ""] = text.replace("-", "").split(".");
  const size = BigInt(whole + fraction.padEnd(MONEY_PLACES, "0").slice(0, MONEY_PLACES));
  return text.startsWith("-") ? -size : size;
}

export function left(until, at) {
  const seconds = Math.max(0, Math.round((new Date(until) - new Date(at)) / 1000));
  return seconds < 60 ? `${seconds} s left` : `${Math.floor(seconds / 60)} min left`;
}

// Why an entry was made.
export function reason(entry) {
  switch (entry.why) {
    case "opened":
      return `Opened the session: the first ${minutes(entry.minutes)}`;
    case "extended":
      return `Used again at ${timeOf(entry.at)}: paid on until ${timeOf(entry.until)}`;
    case "did_not_run":
      return "The call did not run: taken back";
    case "ended_early":
      return "Session ended early: given back";
    default:
      return correction(entry);
  }
}

function correction(entry) {
  if (entry.kind !== "adjustment") return entry.kind === "reversal" ? "Taken back" : "Session time";
  const about = entry.corrects ? ` (for ${monthName(entry.corrects)})` : "";
  return `Correction by the operator: ${entry.reason ?? "no reason given"}${about}`;
}

// What an entry does to the balance.
export const effect = (entry) => (entry.kind === "reversal" ? -entry.minutes : entry.minutes);

// What a call would cost.
export function quoteWords(quote) {
  if (!quote.admitted) return `A call on “${quote.session}” would be refused now: ${quote.refusal.message}`;
  const until = `paid until ${exactTimeOf(quote.paid_until)}`;
  if (quote.charged_minutes === 0) {
    return `A call on “${quote.session}” would cost nothing now: the session is ${until}.`;
  }
  const price = money(quote.cost.amount, quote.cost.currency);
  const what = quote.opens_session ? "It would open the session" : "The session goes on";
  return `A call on “${quote.session}” would be charged ${minutes(quote.charged_minutes)} now: ${price}. ${what}, ${until}.`;
}
