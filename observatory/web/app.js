// Which view the address asks for, and the line at the foot of the page.

import { bytes, count, json, notice, when } from './dom.js';
import { list } from './list.js';
import { trace } from './trace.js';

const main = document.getElementById('main');
const status = document.getElementById('status');
let current = new AbortController();

/** Shows what the address says. */
async function show(focus) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const id = location.pathname.match(/^\/trace\/([^/]+)$/)?.[1];
  try {
    const view = id ? await trace(decodeURIComponent(id), signal) : await list(signal, go);
    if (signal.aborted) return;
    document.title = `${view.title} · Citywatch observatory`;
    main.replaceChildren(view.element);
    if (view.shown) view.shown();
    else if (focus) main.focus();
  } catch (error) {
    if (signal.aborted) return;
    main.replaceChildren(notice(`The observatory did not answer: ${error.message}`, true));
  }
  footer(signal);
}

async function footer(signal) {
  try {
    const store = await json('/api/observatory/v1/status', signal);
    const parts = [
      `${count(store.traces, 'trace')}, ${count(store.spans, 'span')} in memory`,
      `${bytes(store.bytes)} of ${bytes(store.limit_bytes)}`,
    ];
    if (store.evicted_traces > 0) {
      parts.push(`${count(store.evicted_traces, 'older trace')} evicted, oldest kept is from ${when(store.oldest_received)}`);
    }
    status.textContent = parts.join(' · ');
  } catch {
    if (!signal.aborted) status.textContent = '';
  }
}

function go(address) {
  history.pushState(null, '', address);
  show(true);
}

document.addEventListener('click', event => {
  const link = event.target.closest('a[data-link]');
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute('href'));
});
document.getElementById('jump').addEventListener('submit', event => {
  event.preventDefault();
  const id = new FormData(event.target).get('id').trim();
  if (id) go(`/trace/${encodeURIComponent(id)}`);
});
addEventListener('popstate', () => show(true));
show(false);
