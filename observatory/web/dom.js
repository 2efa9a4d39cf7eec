// Elements, numbers and times. Text goes in as text: what services send is never markup.

/** An element with attributes and children; `on*` are listeners, empty attributes are left out. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat(Infinity).filter(child => child !== undefined && child !== null));
  return made;
}

export function notice(text, error = false) {
  return el('p', { class: error ? 'notice error' : 'notice', role: error ? 'alert' : undefined }, text);
}

/** Microseconds for people: three digits and a unit. */
export function duration(micros) {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  if (micros < 1e6) return `${digits(micros / 1e3)} ms`;
  if (micros < 6e7) return `${digits(micros / 1e6)} s`;
  return `${Math.floor(micros / 6e7)} min ${Math.round(micros % 6e7 / 1e6)} s`;
}

function digits(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const clock = new Intl.DateTimeFormat(undefined, {
  year: 'numeric', month: '2-digit', day: '2-digit',
  hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false,
});

export function when(micros) {
  const fraction = String(Math.floor(micros / 1000) % 1000).padStart(3, '0');
  return `${clock.format(new Date(micros / 1000))}.${fraction}`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

export function bytes(number) {
  const mebibytes = number / (1 << 20);
  return mebibytes >= 10 ? `${mebibytes.toFixed(0)} MiB` : `${mebibytes.toFixed(1)} MiB`;
}

/** One colour a service, the same on every page: by its place among all services known. */
export function colours(known, seen) {
  const sorted = [...new Set([...known, ...seen])].sort();
  return new Map(sorted.map((name, index) => [name, `c${index % 10}`]));
}

export async function json(path, signal) {
  const answer = await fetch(path, { headers: { accept: 'application/json' }, signal });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) {
    const reason = body?.detail ?? body?.errors?.[0]?.msg ?? body?.title ?? answer.statusText;
    throw Object.assign(new Error(reason), { status: answer.status });
  }
  return body;
}
