// Calls Tollgate with the key. The key is kept in this module alone, in a variable: nothing else can read it, and nothing
// writes it anywhere. Answers are never cached, redirects never followed, since the key goes with every call.

let key = null;

// A refusal in words; `code` is Tollgate's own, or empty where nothing answered.
export class ApiError extends Error {
  constructor(message, { status = 0, code = "", date = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.date = date;
  }
}

export function useKey(text) {
  if (!/^[\x21-\x7e]+$/.test(text)) {
    throw new ApiError("This is not an API key: it has characters that no key has.", { status: 401 });
  }
  key = text;
}

export function forgetKey() {
  key = null;
}

export function hasKey() {
  return key !== null;
}

// The body of a GET.
export async function read(path, signal) {
  return (await call("GET", path, signal)).body;
}

// The body and headers of a call; raises ApiError for everything that did not go well, and AbortError if given up.
export async function call(method, path, signal) {
  const target = new URL(path, location.origin);
  if (target.origin !== location.origin || key === null) {
    throw new ApiError("The key is for this site only.");
  }
  const headers = { Authorization: `Bearer ${key}`, Accept: "application/json" };
  const options = { cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer" };
  let response;
  let text;
  try {
    response = await fetch(target, { method, headers, signal, ...options });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("Tollgate cannot be reached. Look at your network connection, then try again.");
  }
  const body = parse(text);
  if (!response.ok) throw refusal(response, body);
  return { body, headers: response.headers };
}

function refusal(response, body) {
  const error = body?.error ?? {};
  const wait = response.headers.get("Retry-After");
  let message = error.message ?? `Tollgate answered with the status ${response.status}.`;
  if (wait && /^\d+$/.test(wait)) message += ` Try again in ${wait} s.`;
  const date = response.headers.get("Date");
  return new ApiError(message, { status: response.status, code: error.code ?? "", date: date ? new Date(date) : null });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
