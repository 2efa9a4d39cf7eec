// The spans of a trace as a tree, in the order of time; and what each of them waited for.

/** Spans depth first, children by start; `start` and `length` are microseconds. */
export function tree({ traceID, spans, processes }) {
  const nodes = spans.map(span => ({
    span,
    service: processes[span.processID]?.serviceName ?? '?',
    process: processes[span.processID],
    failed: span.tags.some(tag => tag.key === 'error' && tag.value === true),
    children: [],
  }));
  const byId = new Map();
  for (const node of nodes) if (!byId.has(node.span.spanID)) byId.set(node.span.spanID, node);
  const here = reference => (reference.traceID === traceID ? byId.get(reference.spanID) : undefined);
  const roots = [];
  for (const node of nodes) {
    const { references } = node.span;
    // A link to the parent stands in for the parent: Jaeger's model has one word for both.
    const reference = references.find(one => one.refType === 'CHILD_OF' && one.traceID === traceID)
      ?? references.find(one => one.traceID === traceID);
    const parent = reference && byId.get(reference.spanID);
    node.orphan = Boolean(reference) && !parent;
    node.links = references
      .filter(one => one.refType !== 'CHILD_OF')
      .map(one => ({ traceID: one.traceID, spanID: one.spanID, node: here(one) }));
    node.parent = parent === node ? undefined : parent;
    node.wait = waited(node);
    (node.parent ? node.parent.children : roots).push(node);
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
  const last = rows.reduce((most, { span }) => Math.max(most, end(span)), 0);
  return { id: traceID, rows, byId, start, length: Math.max(1, last - start) };
}

export function end(span) {
  return span.startTime + span.duration;
}

/**
 * How long what a consumer takes lay in a queue: from the end of the span that sent it, its parent
 * or else the linked span that ended first, to its own start.
 */
function waited(node) {
  if (!node.span.tags.some(tag => tag.key === 'span.kind' && tag.value === 'consumer')) return undefined;
  const linked = node.links.map(link => link.node).filter(Boolean);
  const from = node.parent ?? linked.sort((a, b) => end(a.span) - end(b.span))[0];
  if (!from) return undefined;
  const since = end(from.span);
  return node.span.startTime > since ? { from, since, length: node.span.startTime - since } : undefined;
}
