// The dashboard. Whatever clients and backends have made up (names, data, user ids) is put on the
// page as text, by textContent and append, and as nothing else.
/* global Chart, short */
'use strict';

const ROWS_KEPT = 500;
const SECONDS_KEPT = 3600;
const CHANNELS_EVERY_MS = 5000;
const $ = (id) => document.getElementById(id);

const page = { app: '', generation: -1, kinds: [], stream: null, paused: false, rows: [], skipped: 0, channel: null, hour: null };
const charts = [
  new Chart($('chart-connections'), [{ of: 'connections', label: 'open' }]),
  new Chart($('chart-channels'), [{ of: 'channels', label: 'occupied' }]),
  new Chart($('chart-messages'), [{ of: 'sent', label: 'out' }, { of: 'read', label: 'in' }]),
];

/** An element with these children; strings among them become text. */
function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

// --- Asking ---

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters);
  return answered(await fetch(`dashboard/${path}?${query}`, { credentials: 'same-origin' }));
}

async function tell(path, body) {
  return answered(await fetch(`dashboard/${path}`, {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  }));
}

async function answered(response) {
  const body = await response.json().catch(() => ({}));
  if (response.status === 401 && !response.url.endsWith('/login')) logIn();
  if (!response.ok) throw new Refused(response.status, body.error ?? `The server answered ${response.status}`);
  return body;
}

// --- The state of the page ---

function status(state, text) {
  $('status').dataset.state = state;
  $('status-text').textContent = text;
}

function logIn() {
  page.stream?.close();
  $('content').hidden = true;
  $('login').hidden = false;
  $('logout').hidden = true;
  status('waiting', 'not logged in');
  $('token').focus();
}

async function start() {
  try {
    const state = await ask('api/state');
    page.kinds = state.kinds;
    page.generation = state.generation;
    $('logout').hidden = !state.has_token;
    $('login').hidden = true;
    $('content').hidden = false;
    fillFilters();
    fillApps(state.apps);
    await choose($('app').value);
  } catch (error) {
    if (error.status === 401) return;
    status('broken', 'no answer');
    setTimeout(start, 2000);
  }
}

function fillApps(apps) {
  const wanted = page.app || new URLSearchParams(location.hash.slice(1)).get('app');
  $('app').replaceChildren(...apps.map((id) => make('option', { value: id, textContent: id })));
  $('app').disabled = apps.length === 0;
  if (apps.length === 0) $('app').append(make('option', { value: '', textContent: 'no app' }));
  if (apps.includes(wanted)) $('app').value = wanted;
}

async function choose(app) {
  page.app = app;
  history.replaceState(null, '', app ? `#${new URLSearchParams({ app })}` : ' ');
  if (app !== page.listed) {
    closeChannel();
    clearLog();
    page.lost = false;
  }
  page.listed = app;
  page.hour = { at: Date.now() / 1000, connections: [], channels: [], read: [], sent: [] };
  if (app) page.hour = await ask('api/history', { app });
  fitRange();
  drawCharts();
  listen();
  listChannels();
}

function listen() {
  page.stream?.close();
  const parameters = page.app ? `?${new URLSearchParams({ app: page.app })}` : '';
  const stream = new EventSource(`dashboard/api/stream${parameters}`);
  page.stream = stream;
  stream.addEventListener('open', () => {
    status('live', 'live');
    if (page.lost) addGap('The connection to the server was lost: events may be missing here.');
    page.lost = false;
  });
  stream.addEventListener('sample', (event) => sample(JSON.parse(event.data)));
  stream.addEventListener('rows', (event) => addRows(JSON.parse(event.data)));
  stream.addEventListener('error', () => {
    status('broken', 'connection lost, trying again');
    page.lost = true;
    // Refused for good: logged out, or too many pages. Whether, the next question tells.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => page.stream === stream && start(), 2000);
    else page.gap = true;
  });
}

async function sample(now) {
  if (now.draining) status('draining', 'stopping');
  else if ($('status').dataset.state !== 'live') status('live', 'live');
  drawShards(now);
  if (now.generation !== page.generation) {
    await start();
    return;
  }
  if (page.gap && page.app) {
    page.gap = false; // the server has gone on counting
    page.hour = await ask('api/history', { app: page.app });
  } else if (now.app) {
    page.hour.at = now.at;
    for (const [name, value] of Object.entries(now.app)) {
      page.hour[name].push(value);
      if (page.hour[name].length > SECONDS_KEPT) page.hour[name].shift();
    }
    fitRange();
  }
  drawCharts();
}

/** The shortest time that holds all that is known, unless somebody has chosen. */
function fitRange() {
  if (page.rangeChosen) return;
  const ranges = [...document.querySelectorAll('input[name=range]')];
  const fitting = ranges.find((range) => page.hour.connections.length <= Number(range.value));
  (fitting ?? ranges.at(-1)).checked = true;
}

function drawCharts() {
  const seconds = Number(document.querySelector('input[name=range]:checked').value);
  for (const chart of charts) chart.show(page.hour, seconds);
}

// --- Shards ---

function bytes(number) {
  if (number >= 2 ** 30) return `${(number / 2 ** 30).toFixed(1)} GiB`;
  if (number >= 2 ** 20) return `${(number / 2 ** 20).toFixed(1)} MiB`;
  return `${Math.round(number / 1024)} KiB`;
}

function drawShards({ shards, memory_used: used, memory_limit: limit }) {
  const list = $('shards');
  while (list.children.length > shards.length) list.lastChild.remove();
  while (list.children.length < shards.length) {
    const bar = make('meter', { min: 0, max: 100, low: 60, high: 85, optimum: 0 });
    bar.setAttribute('aria-label', `Load of shard ${list.children.length}`);
    const name = make('span', { className: 'name', textContent: `Shard ${list.children.length}` });
    list.append(make('li', {}, name, bar, make('span', { className: 'percent' }), make('span', { className: 'note' })));
  }
  shards.forEach((shard, at) => {
    const [, bar, percent, note] = list.children[at].children;
    const busy = (shard.busy ?? 0) * 100;
    bar.value = busy;
    percent.textContent = shard.up ? `${busy.toFixed(busy < 10 ? 1 : 0)} %` : 'no answer';
    const parts = [`${short(shard.connections)} connections`];
    if (shard.outbox_bytes > 0) parts.push(`${bytes(shard.outbox_bytes)} waiting`);
    if (shard.mesh_waiting > 0) parts.push(`${short(shard.mesh_waiting)} for other shards`);
    if (shard.late_ms > 0) parts.push(`${shard.late_ms} ms late`);
    note.textContent = shard.up ? parts.join(', ') : '';
  });
  $('memory').textContent = `Memory ${bytes(used)} of ${bytes(limit)}`;
}

// --- Channels ---

let channelsTimer;

async function listChannels() {
  clearTimeout(channelsTimer);
  const { app } = page;
  if (app && !document.hidden) {
    try {
      const list = await ask('api/channels', { app, prefix: $('prefix').value });
      if (app === page.app) showChannels(list);
    } catch (error) {
      $('channels-note').textContent = error.message;
    }
  } else if (!app) {
    $('channels').replaceChildren();
    $('channels-note').textContent = 'No app is served.';
  }
  channelsTimer = setTimeout(listChannels, CHANNELS_EVERY_MS);
}

function showChannels({ channels, found, more }) {
  const focused = document.activeElement?.dataset?.channel;
  const rows = channels.map(({ name, subscriptions, users }) => {
    const button = make('button', { type: 'button', className: 'link', textContent: name });
    button.dataset.channel = name;
    button.addEventListener('click', () => openChannel(name));
    if (name === page.channel) button.setAttribute('aria-current', 'true');
    const isPresence = name.startsWith('presence-');
    return make('tr', {},
      make('td', {}, button),
      make('td', { className: 'number', textContent: short(subscriptions) }),
      make('td', { className: 'number', textContent: isPresence ? short(users) : '' }));
  });
  $('channels').replaceChildren(...rows);
  if (focused !== undefined) rows.map((row) => row.querySelector('button')).find((it) => it.dataset.channel === focused)?.focus();
  const shown = channels.length;
  $('channels-note').textContent = found === 0 ? 'No channel is occupied.'
    : shown < found ? `The ${short(shown)} with most subscribers of ${short(found)}${more ? ' or more' : ''}.` : `${short(found)} in all.`;
}

async function openChannel(name) {
  page.channel = name;
  for (const button of $('channels').querySelectorAll('button')) {
    if (button.dataset.channel === name) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
  $('channel-title').textContent = name;
  $('channel-close').hidden = false;
  $('create-channel').value = name;
  await showChannel();
}

async function showChannel() {
  const name = page.channel;
  try {
    const channel = await ask('api/channel', { app: page.app, name });
    if (name !== page.channel) return;
    $('channel-detail').hidden = false;
    const { members, subscribers, subscriptions, users } = channel;
    $('members-title').hidden = members.length === 0;
    $('members').replaceChildren(...members.map(member));
    $('subscribers').replaceChildren(...subscribers.map(subscriber));
    const left = subscriptions - subscribers.length;
    const parts = [`${short(subscriptions)} ${subscriptions === 1 ? 'subscriber' : 'subscribers'}`];
    if (users > 0) parts.push(`${short(users)} ${users === 1 ? 'member' : 'members'}`);
    if (left > 0) parts.push(`the first ${subscribers.length} are shown`);
    $('channel-note').textContent = parts.join(', ');
  } catch (error) {
    $('channel-note').textContent = error.message;
  }
}

function member({ id, info }) {
  const end = make('button', { type: 'button', className: 'small danger', textContent: 'Disconnect' });
  end.setAttribute('aria-label', `Disconnect user ${id}`);
  end.addEventListener('click', () => disconnect({ user_id: id }, `Disconnect all connections of user ${id}?`));
  return make('li', {}, make('span', { className: 'name', textContent: id }),
    make('span', { className: 'info', textContent: info ?? '' }), end);
}

function subscriber({ socket_id: id, user_id: user, shard }) {
  const end = make('button', { type: 'button', className: 'small danger', textContent: 'Disconnect' });
  end.setAttribute('aria-label', `Disconnect connection ${id}`);
  end.addEventListener('click', () => disconnect({ socket_id: id }, `Disconnect connection ${id}?`));
  return make('li', {}, make('span', { className: 'name mono', textContent: id }),
    make('span', { className: 'info', textContent: `${user ? `${user}, ` : ''}shard ${shard}` }), end);
}

function closeChannel() {
  page.channel = null;
  $('channel-title').textContent = 'Who is in it';
  $('channel-note').textContent = 'Choose a channel to see who is in it.';
  $('channel-detail').hidden = true;
  $('channel-close').hidden = true;
}

// --- What happens ---

function fillFilters() {
  if ($('filters').querySelector('input')) return;
  for (const kind of page.kinds) {
    const box = make('input', { type: 'checkbox', checked: true, value: kind });
    box.addEventListener('change', drawLog);
    $('filters').append(make('label', { className: `kind kind-${kind}` }, box, make('span', { textContent: kind })));
  }
}

function addRows({ rows, skipped, gap }) {
  page.skipped += skipped;
  if (gap) addGap('A shard stood still: events may be missing here.');
  page.rows.unshift(...rows.reverse());
  page.rows.length = Math.min(page.rows.length, ROWS_KEPT);
  if (!page.paused) drawLog();
}

/** A row that says that others are missing; it is shown whatever is looked for. */
function addGap(text) {
  if (page.rows[0]?.gap) return; // one says it
  page.rows.unshift({ at: Date.now(), gap: true, text });
  page.rows.length = Math.min(page.rows.length, ROWS_KEPT);
  if (!page.paused) drawLog();
}

function isShown(row) {
  if (row.gap) return true;
  const find = $('find').value.toLowerCase();
  if (!page.shown.has(row.kind)) return false;
  if (find === '') return true;
  return [row.channel, row.event, row.text, row.socket_id].some((text) => text?.toLowerCase().includes(find));
}

function drawLog() {
  page.shown = new Set([...$('filters').querySelectorAll('input:checked')].map((box) => box.value));
  const rows = page.rows.filter(isShown);
  $('log').replaceChildren(...rows.map(logRow));
  const parts = [`${rows.length} of ${page.rows.length} shown`];
  if (page.skipped > 0) parts.push(`${short(page.skipped)} skipped, for much happens`);
  if (page.paused) parts.push('paused');
  $('log-note').textContent = page.rows.length === 0 && page.skipped === 0 ? 'Nothing has happened since this page was opened.' : parts.join(', ');
}

function logRow(row) {
  const time = new Date(row.at).toLocaleTimeString([], { hour12: false });
  if (row.gap) return make('tr', { className: 'gap' }, make('td', { textContent: time }), make('td', { colSpan: 5, textContent: row.text }));
  const kind = make('span', { className: `kind kind-${row.kind}`, textContent: row.kind });
  const cells = [make('td', { textContent: time }), make('td', {}, kind), make('td', { textContent: row.channel }),
    make('td', { textContent: row.event }), make('td', { className: 'data', textContent: row.text, title: row.text })];
  const connection = make('td', { className: 'mono' });
  if (row.socket_id) {
    const button = make('button', { type: 'button', className: 'link', textContent: row.socket_id, title: 'Use it below' });
    button.addEventListener('click', () => {
      $('end-socket').value = row.socket_id;
      $('end-socket').focus();
    });
    connection.append(button);
  }
  return make('tr', {}, ...cells, connection);
}

function clearLog() {
  page.rows = [];
  page.skipped = 0;
  drawLog();
}

// --- Doing something ---

function confirmed(question) {
  const dialog = $('confirm');
  $('confirm-text').textContent = question;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

function result(id, isGood, text) {
  $(id).textContent = text;
  $(id).dataset.good = isGood;
}

async function disconnect(whom, question) {
  if (!(await confirmed(question))) return;
  try {
    const { connections } = await tell('api/disconnect', { app: page.app, ...whom });
    result('end-result', true, whom.user_id === undefined ? `${whom.socket_id} is disconnected.` : `${short(connections)} ${connections === 1 ? 'connection' : 'connections'} of ${whom.user_id} disconnected.`);
    if (page.channel !== null) await showChannel();
  } catch (error) {
    result('end-result', false, error.message);
  }
}

$('create').addEventListener('submit', async (event) => {
  event.preventDefault();
  const [channel, name, data] = ['create-channel', 'create-event', 'create-data'].map((id) => $(id).value);
  try {
    await tell('api/event', { app: page.app, channel, event: name, data });
    result('create-result', true, `Sent ${name} to ${channel}.`);
  } catch (error) {
    result('create-result', false, error.message);
  }
});

$('end-client').addEventListener('submit', (event) => {
  event.preventDefault();
  const id = $('end-socket').value.trim();
  disconnect({ socket_id: id }, `Disconnect connection ${id}?`);
});

$('end-user').addEventListener('submit', (event) => {
  event.preventDefault();
  const id = $('end-user-id').value;
  disconnect({ user_id: id }, `Disconnect all connections of user ${id}?`);
});

$('login-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await tell('login', { token: $('token').value });
    $('token').value = '';
    result('login-result', true, '');
    await start();
  } catch (error) {
    result('login-result', false, error.message);
  }
});

$('logout').addEventListener('click', async () => {
  await tell('logout', {});
  logIn();
});

$('app').addEventListener('change', () => choose($('app').value));
$('range').addEventListener('change', () => {
  page.rangeChosen = true;
  drawCharts();
});
$('find').addEventListener('input', drawLog);
$('clear').addEventListener('click', clearLog);
$('channel-close').addEventListener('click', closeChannel);
$('channel-search').addEventListener('submit', (event) => {
  event.preventDefault();
  listChannels();
});
$('prefix').addEventListener('input', listChannels);
$('pause').addEventListener('click', () => {
  page.paused = !page.paused;
  $('pause').setAttribute('aria-pressed', page.paused);
  $('pause').textContent = page.paused ? 'Go on' : 'Pause';
  drawLog();
});

function theme(name) {
  document.documentElement.dataset.theme = name;
  document.querySelector(`input[name=theme][value=${name}]`).checked = true;
}

$('theme').addEventListener('change', (event) => {
  theme(event.target.value);
  localStorage.setItem('theme', event.target.value);
});
theme(['light', 'dark'].find((name) => name === localStorage.getItem('theme')) ?? 'auto');

start();
