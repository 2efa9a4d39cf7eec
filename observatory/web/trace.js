// One trace as a waterfall: a tree of spans, each with its bar on a common time line.

import { colours, count, duration, el, json, notice, when } from './dom.js';

/** Rows drawn at once; more on demand, so that a huge trace does not freeze the page. */
const PAGE = 2000;

export async function trace(id, signal, go) {
  let answer;
  try {
    answer = await json(`/api/traces/${encodeURIComponent(id)}`, signal);
  } catch (error) {
    if (error.status !== 404 && error.status !== 400) throw error;
    const text = error.status === 404
      ? `Trace ${id} is not here: it was not received, or it was evicted since.`
      : error.message;
    return { title: 'No such trace', element: el('div', {}, notice(text, true), back()) };
  }
  const model = tree(answer.data[0]);
  const root = model.rows[0];
  const title = root ? `${root.service} ${root.span.operationName}` : id;
  const { data: services } = await json('/api/services', signal).catch(() => ({ data: [] }));
  const waterfall = new Waterfall(model, services, go);
  return { title, element: el('div', {}, heading(title, model), waterfall.element) };
}

function back() {
  return el('p', {}, el('a', { href: '/', 'data-link': true }, 'All traces'));
}

/** Spans in the order of the tree, depth first, children by start. */
function tree({ traceID, spans, processes }) {
  const nodes = spans.map(span => ({
    span,
    service: processes[span.processID]?.serviceName ?? '?',
    process: processes[span.processID],
    failed: span.tags.some(tag => tag.key === 'error' && tag.value === true),
    children: [],
  }));
  const byId = new Map();
  for (const node of nodes) if (!byId.has(node.span.spanID)) byId.set(node.span.spanID, node);
  const roots = [];
  for (const node of nodes) {
    const reference = node.span.references.find(one => one.refType === 'CHILD_OF' && one.traceID === traceID)
      ?? node.span.references.find(one => one.traceID === traceID);
    const parent = reference && byId.get(reference.spanID);
    node.orphan = Boolean(reference) && !parent;
    (parent && parent !== node ? parent.children : roots).push(node);
  }
  const byStart = (a, b) => a.span.startTime - b.span.startTime || b.span.duration - a.span.duration;
  const rows = [];
  const walk = from => {
    // An explicit stack: a chain of spans may be deeper than the call stack.
    const stack = from.sort(byStart).map(node => [node, 1]).reverse();
    while (stack.length > 0) {
      const [node, level] = stack.pop();
      if (node.level) continue;
      node.level = level;
      node.index = rows.length;
      rows.push(node);
      node.children.sort(byStart);
      for (const child of [...node.children].reverse()) stack.push([child, level + 1]);
    }
  };
  walk(roots);
  // Spans that name each other as parent hang on nothing: they are shown all the same.
  for (const node of nodes) if (!node.level) walk([node]);
  const start = rows.reduce((least, { span }) => Math.min(least, span.startTime), Infinity);
  const end = rows.reduce((most, { span }) => Math.max(most, span.startTime + span.duration), 0);
  return { id: traceID, rows, start, length: Math.max(1, end - start) };
}

function heading(title, model) {
  const services = new Set(model.rows.map(node => node.service));
  const failed = model.rows.filter(node => node.failed).length;
  const orphans = model.rows.filter(node => node.orphan).length;
  const fact = (name, value) => el('li', {}, `${name} `, el('b', {}, value));
  return el('div', {},
    back(),
    el('h1', {}, title),
    el('ul', { class: 'facts' },
      el('li', {}, 'Trace ', el('b', { class: 'mono' }, model.id)),
      fact('Started', when(model.start)),
      fact('Lasted', duration(model.length)),
      fact('Spans', model.rows.length.toLocaleString()),
      fact('Services', services.size.toLocaleString()),
      failed ? el('li', { class: 'bad' }, count(failed, 'span with an error', 'spans with an error')) : null,
      orphans ? el('li', { class: 'bad' }, count(orphans, 'span whose parent is missing', 'spans whose parent is missing')) : null));
}

class Waterfall {
  constructor(model, services, go) {
    this.model = model;
    this.go = go;
    this.tint = colours(services, model.rows.map(node => node.service));
    this.closed = new Set();
    this.open = new Set();
    this.shown = PAGE;
    this.body = el('div', { role: 'rowgroup' });
    this.more = el('button', { type: 'button', onclick: () => { this.shown += PAGE; this.draw(); } });
    const ticks = [0, 0.25, 0.5, 0.75, 1].map(part => {
      const tick = el('span', {}, part === 0 ? '0' : duration(part * model.length));
      tick.style.left = `${100 * part}%`;
      return tick;
    });
    const grid = el('div', {
      class: 'grid', role: 'treegrid', 'aria-label': 'Spans of the trace',
      'aria-rowcount': model.rows.length + 1, 'aria-colcount': 2,
    },
    el('div', { role: 'rowgroup' }, el('div', { class: 'row head', role: 'row' },
      el('span', { role: 'columnheader' }, 'Service and operation'),
      el('span', { role: 'columnheader', class: 'axis', 'aria-label': 'Time line' }, ticks))),
    this.body);
    grid.addEventListener('keydown', event => this.key(event));
    this.element = el('div', {}, grid,
      el('p', {}, this.more),
      el('p', { class: 'dim' }, 'Keys: ↑ ↓ move, ← → fold and unfold, Enter shows or hides a span’s details.'));
    this.draw();
  }

  draw(focus) {
    const rows = [];
    let hidden = Infinity;
    for (const node of this.model.rows) {
      if (node.level > hidden) continue;
      hidden = this.closed.has(node) ? node.level : Infinity;
      rows.push(node);
    }
    const visible = rows.slice(0, this.shown);
    this.current = visible.includes(this.current) ? this.current : visible[0];
    this.body.replaceChildren(...visible.flatMap(node => {
      const row = this.row(node);
      return this.open.has(node) ? [row, detail(node, this.model)] : [row];
    }));
    this.more.hidden = rows.length <= this.shown;
    this.more.textContent = `Show more of the ${rows.length.toLocaleString()} spans`;
    if (focus) this.body.querySelector('[tabindex="0"]')?.focus();
  }

  row(node) {
    const { span, service } = node;
    const from = 100 * (span.startTime - this.model.start) / this.model.length;
    const width = 100 * span.duration / this.model.length;
    const bar = el('span', { class: `bar ${this.tint.get(service)}${node.failed ? ' failed' : ''}` });
    bar.style.left = `${from}%`;
    bar.style.width = `${Math.min(width, 100 - from)}%`;
    const time = el('span', { class: 'time' }, duration(span.duration));
    // The text stands where there is room: after the bar, before it, or on its start.
    const room = matchMedia('(max-width: 640px)').matches ? 40 : 18;
    if (from + width < 100 - room) time.style.left = `${from + width}%`;
    else if (from > room) time.style.right = `${100 - from}%`;
    else time.classList.add('inside'), time.style.left = `${from}%`;
    const parent = node.children.length > 0;
    const name = el('span', { class: 'name', role: 'gridcell' },
      el('span', { class: 'twist', 'aria-hidden': 'true' }, parent ? (this.closed.has(node) ? '▸' : '▾') : ''),
      el('span', { class: `dot ${this.tint.get(service)}`, 'aria-hidden': 'true' }),
      el('span', { class: 'label', title: `${service} ${span.operationName}` },
        el('b', {}, service), ` ${span.operationName}`),
      node.failed ? el('span', { class: 'tag bad' }, 'error') : null,
      node.orphan ? el('span', { class: 'tag dim' }, 'parent missing') : null);
    name.style.paddingLeft = `${8 + 14 * Math.min(node.level - 1, 20)}px`;
    name.querySelector('.twist').addEventListener('click', event => {
      event.stopPropagation();
      this.current = node;
      this.fold(node, !this.closed.has(node));
    });
    return el('div', {
      class: 'row span', role: 'row', 'aria-level': node.level, 'aria-rowindex': node.index + 2,
      'aria-expanded': parent ? String(!this.closed.has(node)) : undefined,
      'aria-selected': String(this.open.has(node)),
      tabindex: node === this.current ? '0' : '-1',
      onclick: () => { this.current = node; this.toggle(node); },
    }, name, el('span', {
      class: 'lane', role: 'gridcell',
      'aria-label': `starts after ${duration(span.startTime - this.model.start)}, lasts ${duration(span.duration)}`,
    }, bar, time));
  }

  toggle(node) {
    if (!this.open.delete(node)) this.open.add(node);
    this.draw(true);
  }

  fold(node, close) {
    if (close) this.closed.add(node);
    else this.closed.delete(node);
    this.draw(true);
  }

  key(event) {
    const rows = [...this.body.querySelectorAll('.row.span')];
    const at = rows.findIndex(row => row.tabIndex === 0);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey || event.target.closest('.detail')) return;
    const node = this.current;
    const move = to => {
      const target = rows[Math.max(0, Math.min(rows.length - 1, to))];
      rows[at].tabIndex = -1;
      target.tabIndex = 0;
      target.focus();
      this.current = this.model.rows[Number(target.getAttribute('aria-rowindex')) - 2];
    };
    const actions = {
      ArrowDown: () => move(at + 1),
      ArrowUp: () => move(at - 1),
      Home: () => move(0),
      End: () => move(rows.length - 1),
      Enter: () => this.toggle(node),
      ' ': () => this.toggle(node),
      ArrowRight: () => (this.closed.has(node) ? this.fold(node, false) : node.children.length > 0 && move(at + 1)),
      ArrowLeft: () => {
        if (node.children.length > 0 && !this.closed.has(node)) return this.fold(node, true);
        const up = rows.slice(0, at).findLastIndex(row => Number(row.getAttribute('aria-level')) < node.level);
        if (up >= 0) move(up);
      },
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}

function detail(node, model) {
  const { span, process } = node;
  const table = (title, fields) => (fields.length === 0 ? null : [
    el('h2', {}, title),
    el('table', {}, el('tbody', {}, fields.map(field => el('tr', {},
      el('th', { scope: 'row', class: 'mono' }, field.key), el('td', { class: 'mono' }, String(field.value)))))),
  ]);
  const links = span.references.filter(one => one.refType !== 'CHILD_OF');
  return el('div', { class: 'detail', role: 'row' }, el('div', { role: 'gridcell' },
    el('ul', { class: 'facts' },
      el('li', {}, 'Span ', el('b', { class: 'mono' }, span.spanID)),
      el('li', {}, 'Starts after ', el('b', {}, duration(span.startTime - model.start))),
      el('li', {}, 'Lasts ', el('b', {}, duration(span.duration)))),
    (span.warnings ?? []).map(text => el('p', { class: 'bad' }, text)),
    node.orphan ? el('p', { class: 'bad' }, 'This span’s parent has not been received.') : null,
    table('Attributes', span.tags),
    span.logs.map(log => table(`Event after ${duration(Math.max(0, log.timestamp - model.start))}`, log.fields)),
    links.length === 0 ? null : [
      el('h2', {}, 'Links'),
      el('ul', {}, links.map(one => el('li', {},
        el('a', { href: `/trace/${one.traceID}`, 'data-link': true, class: 'mono' }, one.traceID), ` span ${one.spanID}`))),
    ],
    table('Process', process?.tags ?? [])));
}
