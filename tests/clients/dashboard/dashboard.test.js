// The dashboard in a browser: what it shows, what it can do, that a keyboard is enough, and that nothing
// that clients make up becomes more than text on it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page, launch } from '../support/browser.js';
import { backend } from '../support/backend.js';
import { Client } from '../support/client.js';
import { within } from '../support/deadline.js';
import { startServer } from '../support/server.js';
import { app, host } from '../support/target.js';

const browser = await launch();
const HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>';

/** A server of its own, and its dashboard with the app of the tests chosen. */
async function open(t, args = []) {
  const server = await startServer(t, 0, ['--admin-port', '0', ...args]);
  const url = `http://${host}:${await server.adminPort}/dashboard#app=${app.appId}`;
  const page = await Page.open(t, browser, url, 'the dashboard');
  page.tab.on('console', (message) => {
    // An answer that refuses something is no fault of the page.
    const isFault = message.type() === 'error' && !message.text().startsWith('Failed to load resource');
    if (isFault) page.faults.push(message.text());
  });
  await page.tab.locator('#status[data-state=live]').waitFor();
  return { server, page, tab: page.tab };
}

function connect(t, server, options = {}) {
  const client = new Client({ wsPort: server.port, ...options });
  t.after(() => client.close());
  return client;
}

const texts = (locator) => locator.evaluateAll((all) => all.map((it) => it.textContent));

test('it shows connections, channels and shards', async (t) => {
  const { server, tab } = await open(t);
  assert.equal(await tab.locator('#app').inputValue(), app.appId);
  const client = connect(t, server);
  await client.subscribe('news');
  await tab.locator('#chart-connections output', { hasText: /^1$/ }).waitFor();
  await tab.locator('#chart-channels output', { hasText: /^1$/ }).waitFor();
  assert.ok(await tab.locator('#chart-connections .curve-0').getAttribute('d'));
  assert.equal(await tab.locator('#shards li').count(), 2);
  await tab.locator('#channels button', { hasText: 'news' }).click();
  await tab.locator('#subscribers li', { hasText: client.socketId }).waitFor();
});

test('what clients make up stays text', async (t) => {
  const { server, tab } = await open(t);
  const client = connect(t, server, { member: { user_id: HOSTILE, user_info: { name: HOSTILE } } });
  await client.subscribe('presence-room');
  await tab.locator('#channels button', { hasText: 'presence-room' }).click();
  const member = tab.locator('#members li');
  await member.waitFor();
  assert.equal(await member.locator('.name').textContent(), HOSTILE);
  assert.deepEqual(JSON.parse(await member.locator('.info').textContent()), { name: HOSTILE });
  client.pusher.channel('presence-room').trigger('client-x', HOSTILE);
  const row = tab.locator('#log tr', { hasText: 'client-x' });
  await row.waitFor();
  assert.equal(await row.locator('.data').textContent(), HOSTILE);
  assert.equal(await tab.locator('main img, main script').count(), 0);
  assert.equal(await tab.evaluate(() => window.broken), undefined);
});

test('it sends events, and tells what is wrong with them', async (t) => {
  const { server, tab } = await open(t);
  const client = connect(t, server);
  const channel = await client.subscribe('news');
  const heard = new Promise((resolve) => channel.bind('said', resolve));
  await tab.fill('#create-channel', 'news');
  await tab.fill('#create-event', 'said');
  await tab.fill('#create-data', '{"a":1}');
  await tab.press('#create-event', 'Enter');
  assert.deepEqual(await heard, { a: 1 });
  await tab.locator('#create-result[data-good=true]').waitFor();
  await tab.locator('#log tr', { hasText: 'api-event' }).waitFor();
  await tab.fill('#create-channel', 'not a channel');
  await tab.press('#create-event', 'Enter');
  await tab.locator('#create-result[data-good=false]').waitFor();
});

test('it disconnects clients and users, by the keyboard alone', async (t) => {
  const { server, tab } = await open(t);
  const [first, second] = [connect(t, server), connect(t, server, { member: { user_id: 'ann' } })];
  await first.subscribe('news');
  await second.subscribe('presence-room');
  const ended = (client) => within(
    new Promise((resolve) => client.pusher.connection.bind('disconnected', resolve)),
    'the end of a client',
  );
  const [firstEnded, secondEnded] = [ended(first), ended(second)];
  await tab.locator('#end-socket').focus();
  await tab.keyboard.type(first.socketId);
  await tab.keyboard.press('Enter');
  await tab.locator('dialog[open]').waitFor();
  await tab.keyboard.press('Enter'); // Cancel has the focus
  await tab.locator('dialog[open]').waitFor({ state: 'detached' });
  assert.equal(first.state, 'connected');
  await tab.locator('#end-socket').focus();
  await tab.keyboard.press('Enter');
  await tab.locator('dialog[open]').waitFor();
  await tab.keyboard.press('Tab');
  await tab.keyboard.press('Enter');
  await firstEnded;
  const room = tab.locator('#channels button', { hasText: 'presence-room' });
  await room.focus();
  await tab.keyboard.press('Enter');
  await tab.locator('#members button').focus();
  await tab.keyboard.press('Enter');
  await tab.locator('dialog[open]').waitFor();
  await tab.keyboard.press('Tab');
  await tab.keyboard.press('Enter');
  await secondEnded;
});

test('events are filtered, found and paused', async (t) => {
  const { server, tab } = await open(t);
  const client = connect(t, server);
  await client.subscribe('news');
  await backend({ port: String(server.port) }).trigger('news', 'said', 'x');
  const kind = (name) => tab.locator(`#log .kind-${name}`);
  await kind('api-event').waitFor();
  await kind('subscribed').waitFor();
  await tab.locator('#filters input[value=subscribed]').uncheck();
  assert.equal(await kind('subscribed').count(), 0);
  assert.equal(await kind('api-event').count(), 1);
  await tab.fill('#find', 'nothing has this in it');
  assert.equal(await tab.locator('#log tr').count(), 0);
  await tab.fill('#find', 'SAID');
  assert.deepEqual(await texts(tab.locator('#log td:nth-child(4)')), ['said']);
  await tab.click('#pause');
  assert.equal(await tab.locator('#pause').getAttribute('aria-pressed'), 'true');
  await tab.click('#clear');
  assert.equal(await tab.locator('#log tr').count(), 0);
});

test('it is dark or light as the system or the switch says', async (t) => {
  const { tab } = await open(t);
  const back = () => tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await tab.emulateMedia({ colorScheme: 'light' });
  const light = await back();
  await tab.emulateMedia({ colorScheme: 'dark' });
  const dark = await back();
  assert.notEqual(light, dark);
  await tab.locator('input[name=theme][value=light]').focus();
  await tab.keyboard.press('Space');
  assert.equal(await back(), light);
  await tab.reload();
  await tab.locator('#status[data-state=live]').waitFor();
  assert.equal(await back(), light, 'it is remembered');
});

test('with a token it asks for it first', async (t) => {
  const server = await startServer(t, 0, ['--admin-port', '0'], { SHARDCAST_ADMIN_TOKEN: 'a-token' });
  const url = `http://${host}:${await server.adminPort}/dashboard`;
  const { tab } = await Page.open(t, browser, url, 'the dashboard');
  await tab.locator('#token').waitFor();
  assert.equal(await tab.locator('#content').isVisible(), false);
  await tab.fill('#token', 'another');
  await tab.keyboard.press('Enter');
  await tab.locator('#login-result[data-good=false]').waitFor();
  await tab.fill('#token', 'a-token');
  await tab.keyboard.press('Enter');
  await tab.locator('#status[data-state=live]').waitFor();
  await tab.reload();
  await tab.locator('#status[data-state=live]').waitFor();
  const other = await tab.context().newPage();
  await other.goto(url);
  await other.locator('#status[data-state=live]').waitFor();
  await tab.click('#logout');
  await tab.locator('#token').waitFor();
  await other.locator('#token').waitFor();
});

test('it comes back when the server does not answer for a while', async (t) => {
  const { server, tab } = await open(t);
  const port = new URL(tab.url()).port;
  assert.equal(await server.stop(), 0);
  await tab.locator('#status[data-state=broken]').waitFor();
  assert.equal(await tab.locator('#log .gap').count(), 0);
  await startServer(t, 0, ['--admin-port', port]);
  await tab.locator('#status[data-state=live]').waitFor();
  await tab.locator('#log .gap', { hasText: 'events may be missing' }).waitFor();
});
