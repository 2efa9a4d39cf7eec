// What is known of one span, below its row.

import { duration, el } from './dom.js';

export function detail(node, model) {
  const { span, process, wait, links } = node;
  const table = (title, fields) => (fields.length === 0 ? null : [
    el('h2', {}, title),
    el('table', {}, el('tbody', {}, fields.map(field => el('tr', {},
      el('th', { scope: 'row', class: 'mono' }, field.key), el('td', { class: 'mono' }, String(field.value)))))),
  ]);
  return el('div', { class: 'detail', role: 'row' }, el('div', { role: 'gridcell' },
    el('ul', { class: 'facts' },
      el('li', {}, 'Span ', el('b', { class: 'mono' }, span.spanID)),
      wait ? el('li', {}, 'Queued ', el('b', {}, duration(wait.length)), ' since the end of ', way(wait.from, model)) : null,
      el('li', {}, 'Starts after ', el('b', {}, duration(span.startTime - model.start))),
      el('li', {}, 'Lasts ', el('b', {}, duration(span.duration)))),
    (span.warnings ?? []).map(text => el('p', { class: 'bad' }, text)),
    node.orphan ? el('p', { class: 'bad' }, 'This span’s parent has not been received.') : null,
    links.length === 0 ? null : [
      el('h2', {}, 'Links'),
      el('ul', {}, links.map(link => el('li', {}, link.node
        ? way(link.node, model)
        : [address(link.traceID, link.spanID, `span ${link.spanID}`), link.traceID === model.id
          ? ', which has not been received'
          : [' of trace ', el('span', { class: 'mono' }, link.traceID)]]))),
    ],
    table('Attributes', span.tags),
    span.logs.map(log => table(`Event after ${duration(Math.max(0, log.timestamp - model.start))}`, log.fields)),
    table('Process', process?.tags ?? [])));
}

/** A link to a span of the same trace, by its name. */
function way(node, model) {
  return address(model.id, node.span.spanID, `${node.service} ${node.span.operationName}`);
}

/** A link to a span, here or in another trace. */
function address(traceID, spanID, text) {
  const to = `/trace/${encodeURIComponent(traceID)}?span=${encodeURIComponent(spanID)}`;
  return el('a', { href: to, 'data-link': true }, text);
}
