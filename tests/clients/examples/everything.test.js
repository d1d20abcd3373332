// examples/everything: the page in headless Chromium, the stock pusher-js and a server SDK on one port.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import Pusher from 'pusher-js';
import { backend } from '../support/backend.js';
import { Page, launch } from '../support/browser.js';
import { within } from '../support/deadline.js';
import { demoApp, host, port, unique } from '../support/target.js';

const browser = await launch();
const sdk = backend(demoApp);
const site = `http://${host}:${port}/site/`;

test('the page comes from files, counts its viewers and hears the Pusher server', async (t) => {
  const first = (await Page.open(t, browser, site, 'the first window')).tab;
  await first.getByLabel('Viewers').filter({ hasText: /^1$/ }).waitFor();
  const second = (await Page.open(t, browser, site, 'the second window')).tab;
  for (const tab of [first, second]) {
    await tab.getByLabel('Viewers').filter({ hasText: /^2$/ }).waitFor();
    await tab.getByLabel('Channel').filter({ hasText: 'listening' }).waitFor();
  }
  await sdk.trigger('news', 'headline', { text: 'it works' });
  for (const tab of [first, second]) {
    await tab.getByRole('log').locator('li').filter({ hasText: 'it works' }).waitFor();
  }
  const count = await (await fetch(`http://${host}:${port}/viewers/count`)).json();
  assert.equal(count, 2);
  await second.close();
  await first.getByLabel('Viewers').filter({ hasText: /^1$/ }).waitFor();
});

test('pusher-js is served beside it', async (t) => {
  const pusher = new Pusher(demoApp.key, {
    wsHost: host, wsPort: port, forceTLS: false, cluster: '', enabledTransports: ['ws'],
  });
  t.after(() => pusher.disconnect());
  const name = unique('beside');
  const channel = pusher.subscribe(name);
  await within(new Promise((done) => channel.bind('pusher:subscription_succeeded', done)), name);
  const heard = new Promise((done) => channel.bind('hello', done));
  await sdk.trigger(name, 'hello', { n: 1 });
  assert.deepEqual(await within(heard, 'the event'), { n: 1 });
});

test('files are files: types, caching, and nothing beside the folder', async () => {
  const style = await fetch(`${site}style.css`);
  assert.equal(style.status, 200);
  assert.match(style.headers.get('content-type'), /^text\/css/);
  const again = await fetch(`${site}style.css`, {
    headers: { 'If-None-Match': style.headers.get('etag') },
  });
  assert.equal(again.status, 304);
  for (const path of ['..%2fmain.rs', '%2e%2e/main.rs', 'none.html', '.hidden']) {
    const answer = await fetch(`${site}${path}`);
    assert.ok(answer.status === 404 || answer.status === 400, `${path}: ${answer.status}`);
  }
});
