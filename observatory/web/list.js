// Traces that match the filters, as a table.

import { colours, count, duration, el, json, notice, when } from './dom.js';

const LOOKBACKS = [['5m', 'Last 5 minutes'], ['15m', 'Last 15 minutes'], ['1h', 'Last hour'], ['6h', 'Last 6 hours'], ['48h', 'Last 2 days']];
const LIMITS = ['20', '50', '100', '500'];
const UNITS = { m: 60e6, h: 3600e6 };
const COLUMNS = [
  ['start_time', 'Started', 'descending'],
  [null, 'Root operation'],
  [null, 'Services'],
  ['span_count', 'Spans', 'descending'],
  ['error_count', 'Errors', 'descending'],
  ['duration', 'Duration', 'descending'],
];

export async function list(signal, go) {
  const asked = new URLSearchParams(location.search);
  const { data: services } = await json('/api/services', signal);
  const element = el('div', {}, el('h1', {}, 'Traces'), filters(asked, services, signal, go));
  if (services.length === 0) {
    element.append(await welcome(signal));
    return { title: 'Traces', element };
  }
  try {
    const found = await json(`/api/observatory/v1/traces?${query(asked)}`, signal);
    element.append(found.traces.length > 0 ? results(found.traces, services) : notice('No trace matches. Widen the time or drop a filter.'));
  } catch (error) {
    if (signal.aborted) throw error;
    element.append(notice(error.message, true));
  }
  return { title: 'Traces', element };
}

/** The address's parameters as the search's. */
function query(asked) {
  const search = new URLSearchParams();
  for (const name of ['service', 'operation', 'minDuration', 'maxDuration', 'limit']) {
    if (asked.get(name)) search.set(name, asked.get(name));
  }
  if (!asked.get('limit')) search.set('limit', LIMITS[0]);
  // Each word is one tag; the first equals sign parts key from value.
  for (const word of (asked.get('tags') ?? '').split(/\s+/).filter(Boolean)) {
    const at = word.indexOf('=');
    search.append('tag', at < 0 ? word : `${word.slice(0, at)}:${word.slice(at + 1)}`);
  }
  if (asked.get('errors')) search.append('tag', 'error:true');
  const back = asked.get('lookback') ?? '1h';
  const micros = parseInt(back, 10) * (UNITS[back.slice(-1)] ?? UNITS.h);
  if (micros > 0) search.set('start', String(Date.now() * 1000 - micros));
  // Clocks of other machines may run ahead a little.
  search.set('end', String((Date.now() + 60_000) * 1000));
  return search;
}

function filters(asked, services, signal, go) {
  const value = name => asked.get(name) ?? '';
  const choices = (name, chosen, pairs) => el('select', { id: name, name },
    pairs.map(([key, text]) => el('option', { value: key, selected: key === chosen }, text)));
  const field = (label, control) => el('div', {}, el('label', { for: control.id }, label), control);
  const input = (name, placeholder) =>
    el('input', { id: name, name, value: value(name), placeholder, autocomplete: 'off', spellcheck: 'false' });

  const service = choices('service', value('service'), [['', 'All services'], ...services.map(name => [name, name])]);
  const operation = choices('operation', '', [['', 'All operations']]);
  const fill = async chosen => {
    operation.replaceChildren(el('option', { value: '' }, 'All operations'));
    operation.disabled = !service.value;
    if (!service.value) return;
    const path = `/api/services/${encodeURIComponent(service.value)}/operations`;
    const { data } = await json(path, signal).catch(() => ({ data: [] }));
    operation.append(...data.map(name => el('option', { value: name, selected: name === chosen }, name)));
  };
  service.addEventListener('change', () => fill(''));
  fill(value('operation'));

  const form = el('form', { class: 'filters', role: 'search', 'aria-label': 'Filter traces' },
    field('Service', service),
    field('Operation', operation),
    field('At least', input('minDuration', 'such as 50ms')),
    field('At most', input('maxDuration', 'such as 1.5s')),
    field('Tags', input('tags', 'http.route=/api/orders')),
    field('Outcome', choices('errors', value('errors'), [['', 'Any'], ['only', 'With an error']])),
    field('Time', choices('lookback', value('lookback') || '1h', LOOKBACKS)),
    field('Show', choices('limit', value('limit') || LIMITS[0], LIMITS.map(limit => [limit, `${limit} traces`]))),
    el('button', { class: 'main' }, 'Find traces'));
  form.addEventListener('submit', event => {
    event.preventDefault();
    const chosen = new URLSearchParams();
    for (const [name, text] of new FormData(form)) {
      if (text.trim()) chosen.set(name, text.trim());
    }
    go(`/?${chosen}`);
  });
  return form;
}

function results(traces, services) {
  // They come as they were received; a span of an old trace may have come last.
  traces.sort((a, b) => b.start_time - a.start_time);
  const tint = colours(services, traces.flatMap(trace => trace.services.map(service => service.name)));
  const longest = Math.max(1, ...traces.map(trace => trace.duration));
  const body = el('tbody');
  const draw = () => body.replaceChildren(...traces.map(trace => row(trace, tint, longest)));
  const heads = COLUMNS.map(([key, text]) => {
    const numeric = key && key !== 'start_time';
    const head = el('th', { scope: 'col', class: numeric ? 'number' : undefined });
    if (!key) return head.append(text), head;
    head.append(el('button', {
      type: 'button',
      onclick: () => {
        const order = head.getAttribute('aria-sort') === 'descending' ? 'ascending' : 'descending';
        heads.forEach(other => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', order);
        traces.sort((a, b) => (order === 'ascending' ? a[key] - b[key] : b[key] - a[key]));
        mark(heads);
        draw();
      },
    }, text));
    return head;
  });
  draw();
  const caption = el('caption', { class: 'dim' }, `${count(traces.length, 'trace')}, newest first unless sorted`);
  return el('div', { class: 'scroll' },
    el('table', { class: 'list' }, caption, el('thead', {}, el('tr', {}, heads)), body));
}

function mark(heads) {
  for (const head of heads) {
    const button = head.querySelector('button');
    if (!button) continue;
    const arrow = { ascending: ' ▲', descending: ' ▼' }[head.getAttribute('aria-sort')] ?? '';
    button.textContent = button.textContent.replace(/ [▲▼]$/, '') + arrow;
  }
}

function row(trace, tint, longest) {
  const meter = el('span', { class: 'meter', 'aria-hidden': 'true' });
  meter.style.width = `${Math.max(1, 100 * trace.duration / longest)}%`;
  const root = trace.root_service
    ? [el('b', {}, trace.root_service), ` ${trace.root_operation}`]
    : ['root span not received'];
  return el('tr', {},
    el('td', { class: 'when' }, when(trace.start_time)),
    el('td', { class: 'wide' },
      el('a', { href: `/trace/${trace.trace_id}`, 'data-link': true }, root),
      el('div', { class: 'dim mono' }, trace.trace_id)),
    el('td', {}, trace.services.map(service => el('span', { class: 'chip' },
      el('span', { class: `dot ${tint.get(service.name)}`, 'aria-hidden': 'true' }), service.name))),
    el('td', { class: 'number' }, trace.span_count.toLocaleString()),
    el('td', { class: trace.error_count ? 'number bad' : 'number dim' }, trace.error_count.toLocaleString()),
    el('td', { class: 'number' }, duration(trace.duration),
      // What goes on after the answer makes the whole long: who asked did not wait for it.
      trace.root_duration < trace.duration * 0.9 ? el('div', { class: 'dim' }, `root ${duration(trace.root_duration)}`) : null,
      meter));
}

async function welcome(signal) {
  const store = await json('/api/observatory/v1/status', signal);
  return el('div', { class: 'notice' },
    el('p', {}, 'No trace has come in yet. Send OpenTelemetry spans here:'),
    el('ul', {},
      el('li', {}, el('code', {}, `http://${store.otlp_grpc}`), ' (gRPC)'),
      el('li', {}, el('code', {}, `http://${store.otlp_http}`), ' (HTTP, protobuf)')),
    el('p', {}, 'Most SDKs read ', el('code', {}, 'OTEL_EXPORTER_OTLP_ENDPOINT'), '.'));
}
