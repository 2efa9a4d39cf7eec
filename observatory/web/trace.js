// One trace as a waterfall: a tree of spans, each with its bar on a common time line.

import { detail } from './detail.js';
import { colours, count, duration, el, json, notice, when } from './dom.js';
import { end, tree } from './tree.js';

/** Rows drawn at once; more on demand, so that a huge trace does not freeze the page. */
const PAGE = 2000;
/** A trace whose last span ended no longer ago may go on, after the answer; microseconds. */
const MAY_GO_ON = 15e6;
/** Between two looks at such a trace, which the interface has no way to tell of; milliseconds. */
const LOOK_AGAIN = 2000;

export async function trace(id, signal) {
  let model;
  try {
    model = await read(id, signal);
  } catch (error) {
    if (error.status !== 404 && error.status !== 400) throw error;
    const text = error.status === 404
      ? `Trace ${id} is not here: it was not received, or it was evicted since.`
      : error.message;
    return { title: 'No such trace', element: el('div', {}, notice(text, true), back()) };
  }
  const root = model.rows[0];
  const title = root ? `${root.service} ${root.span.operationName}` : id;
  const { data: services } = await json('/api/services', signal).catch(() => ({ data: [] }));
  const waterfall = new Waterfall(model, services);
  let head = heading(title, model);
  follow(id, signal, model, grown => {
    const facts = heading(title, grown);
    head.replaceWith(facts);
    head = facts;
    waterfall.take(grown);
  });
  const wanted = new URLSearchParams(location.search).get('span');
  return {
    title,
    element: el('div', {}, head, missing(wanted, model), waterfall.element),
    // The span that the address names is shown once the page is.
    shown: wanted && model.byId.has(wanted) ? () => waterfall.reveal(model.byId.get(wanted)) : undefined,
  };
}

async function read(id, signal) {
  const { data: [found] } = await json(`/api/traces/${encodeURIComponent(id)}`, signal);
  return tree(found);
}

/** Tells of what comes in while the trace may go on and somebody looks. */
async function follow(id, signal, model, tell) {
  while (Math.abs(Date.now() * 1000 - model.start - model.length) < MAY_GO_ON) {
    await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN));
    if (signal.aborted) return;
    if (document.hidden) continue;
    const now = await read(id, signal).catch(() => null);
    if (!now || signal.aborted) return;
    if (now.rows.length === model.rows.length) continue;
    model = now;
    tell(model);
  }
}

function back() {
  return el('p', {}, el('a', { href: '/', 'data-link': true }, 'All traces'));
}

function missing(wanted, model) {
  if (!wanted || model.byId.has(wanted)) return null;
  return notice(`Span ${wanted} is not in this trace: it was not received.`, true);
}

function heading(title, model) {
  const services = new Set(model.rows.map(node => node.service));
  const failed = model.rows.filter(node => node.failed).length;
  const orphans = model.rows.filter(node => node.orphan).length;
  const waits = model.rows.filter(node => node.wait).map(node => node.wait.length);
  const longest = waits.reduce((most, wait) => Math.max(most, wait), 0);
  const root = model.rows[0]?.span;
  const goesOn = root && end(root) < model.start + model.length;
  const fact = (name, value) => el('li', {}, `${name} `, el('b', {}, value));
  return el('div', {},
    back(),
    el('h1', {}, title),
    el('ul', { class: 'facts' },
      el('li', {}, 'Trace ', el('b', { class: 'mono' }, model.id)),
      fact('Started', when(model.start)),
      fact('Lasted', duration(model.length)),
      goesOn ? fact('Root span', duration(root.duration)) : null,
      fact('Spans', model.rows.length.toLocaleString()),
      fact('Services', services.size.toLocaleString()),
      waits.length > 0 ? fact('Queued', `${count(waits.length, 'time')}, at most ${duration(longest)}`) : null,
      failed ? el('li', { class: 'bad' }, count(failed, 'span with an error', 'spans with an error')) : null,
      orphans ? el('li', { class: 'bad' }, count(orphans, 'span whose parent is missing', 'spans whose parent is missing')) : null));
}

class Waterfall {
  constructor(model, services) {
    this.services = services;
    this.closed = new Set();
    this.open = new Set();
    this.shown = PAGE;
    this.axis = el('span', { role: 'columnheader', class: 'axis', 'aria-label': 'Time line' });
    this.body = el('div', { role: 'rowgroup' });
    this.more = el('button', { type: 'button', onclick: () => { this.shown += PAGE; this.draw(); } });
    this.grid = el('div', { class: 'grid', role: 'treegrid', 'aria-label': 'Spans of the trace', 'aria-colcount': 2 },
      el('div', { role: 'rowgroup' }, el('div', { class: 'row head', role: 'row' },
        el('span', { role: 'columnheader' }, 'Service and operation'), this.axis)),
      this.body);
    this.grid.addEventListener('keydown', event => this.key(event));
    this.queued = el('p', { class: 'key dim' }, el('span', { class: 'wait', 'aria-hidden': 'true' }),
      ' Queued: sent, and not yet taken by its consumer');
    this.zoom = el('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.scale(!this.near) },
      'Only until the root span’s end');
    this.element = el('div', {}, el('p', {}, this.zoom), this.grid, this.queued,
      el('p', {}, this.more),
      el('p', { class: 'dim' }, 'Keys: ↑ ↓ move, ← → fold and unfold, Enter shows or hides a span’s details.'));
    this.take(model);
  }

  /** Draws this model; what was open, folded and looked at in the one before stays so. */
  take(model) {
    const same = node => node && model.byId.get(node.span.spanID);
    const kept = nodes => new Set([...nodes].map(same).filter(Boolean));
    this.closed = kept(this.closed);
    this.open = kept(this.open);
    this.current = same(this.current);
    this.model = model;
    this.tint = colours(this.services, model.rows.map(node => node.service));
    this.grid.setAttribute('aria-rowcount', model.rows.length + 1);
    this.queued.hidden = !model.rows.some(node => node.wait);
    this.scale(this.near);
  }

  /** The time line: all of it, or up to the root's end, where much comes after the answer. */
  scale(near) {
    const root = this.model.rows[0] ? end(this.model.rows[0].span) - this.model.start : 0;
    this.zoom.hidden = !(root > 0 && root < this.model.length / 2);
    this.near = Boolean(near) && !this.zoom.hidden;
    this.zoom.setAttribute('aria-pressed', String(this.near));
    this.length = this.near ? root : this.model.length;
    this.axis.replaceChildren(...[0, 0.25, 0.5, 0.75, 1].map(part => {
      const tick = el('span', {}, part === 0 ? '0' : duration(part * this.length));
      tick.style.left = `${100 * part}%`;
      return tick;
    }));
    this.draw(this.body.contains(document.activeElement));
  }

  /** Spans that are not folded away. */
  unfolded() {
    let hidden = Infinity;
    return this.model.rows.filter(node => {
      if (node.level > hidden) return false;
      hidden = this.closed.has(node) ? node.level : Infinity;
      return true;
    });
  }

  draw(focus) {
    const rows = this.unfolded();
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
    const from = Math.min(100, 100 * (span.startTime - this.model.start) / this.length);
    const width = Math.min(100 - from, 100 * span.duration / this.length);
    const bar = el('span', { class: `bar ${this.tint.get(service)}${node.failed ? ' failed' : ''}` });
    bar.style.left = `${from}%`;
    bar.style.width = `${width}%`;
    bar.hidden = from === 100;
    const narrow = matchMedia('(max-width: 640px)').matches;
    const wait = node.wait && this.wait(node.wait, narrow ? 40 : 16);
    const later = from === 100 ? `after ${duration(span.startTime - this.model.start)}` : undefined;
    const text = [wait?.untold, later, duration(span.duration)].filter(Boolean).join(' · ');
    const time = el('span', { class: 'time' }, text);
    // The text stands where there is room: after the bar, before it, or on its start.
    const room = (narrow ? 40 : 18) * (wait?.untold ? 1.6 : 1);
    const before = wait ? wait.from : from;
    if (from + width < 100 - room) time.style.left = `${from + width}%`;
    else if (before > room) time.style.right = `${100 - before}%`;
    else time.classList.add('inside'), time.style.left = `${from}%`;
    const parent = node.children.length > 0;
    // That the span is linked to its parent, its place says.
    const elsewhere = node.links.filter(link => !link.node || link.node !== node.parent).length;
    const name = el('span', { class: 'name', role: 'gridcell' },
      el('span', { class: 'twist', 'aria-hidden': 'true' }, parent ? (this.closed.has(node) ? '▸' : '▾') : ''),
      el('span', { class: `dot ${this.tint.get(service)}`, 'aria-hidden': 'true' }),
      el('span', { class: 'label', title: `${service} ${span.operationName}` },
        el('b', {}, service), ` ${span.operationName}`),
      node.failed ? el('span', { class: 'tag bad' }, 'error') : null,
      node.orphan ? el('span', { class: 'tag dim' }, 'parent missing') : null,
      elsewhere > 0 ? el('span', { class: 'tag dim' }, count(elsewhere, 'link')) : null);
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
      'aria-label': [
        node.wait && `queued ${duration(node.wait.length)} since the end of ${node.wait.from.service} ${node.wait.from.span.operationName}`,
        `starts after ${duration(span.startTime - this.model.start)}`,
        `lasts ${duration(span.duration)}`,
      ].filter(Boolean).join(', '),
    }, wait?.element, bar, time));
  }

  /** The part of the line in which a span lay in a queue; its label, where there is no room in it. */
  wait({ since, length }, room) {
    const from = Math.min(100, 100 * (since - this.model.start) / this.length);
    const width = Math.min(100 - from, 100 * length / this.length);
    const label = `queued ${duration(length)}`;
    const inside = width > room;
    const element = el('span', { class: 'wait', hidden: from === 100 }, inside ? el('span', {}, label) : null);
    element.style.left = `${from}%`;
    element.style.width = `${width}%`;
    return { element, from, untold: inside ? undefined : label };
  }

  /** Opens a span's details, whatever is folded above it, and goes there. */
  reveal(node) {
    // Spans that name each other as parent have levels all the same: upwards these only fall.
    for (let up = node; up.parent && up.parent.level < up.level; up = up.parent) this.closed.delete(up.parent);
    this.open.add(node);
    this.current = node;
    const place = this.unfolded().indexOf(node);
    while (place >= this.shown) this.shown += PAGE;
    this.draw(true);
    this.body.querySelector('[tabindex="0"]')?.scrollIntoView({ block: 'center' });
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
