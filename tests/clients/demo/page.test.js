// The demo page in headless Chromium, as a newcomer meets it: it connects, listens and shows events.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backend } from '../support/backend.js';
import { Page, launch } from '../support/browser.js';
import { demoApp, host, port, unique } from '../support/target.js';

const browser = await launch();
const sdk = backend(demoApp);

test('the page connects and shows what an SDK triggers on its channels', async (t) => {
  const page = await Page.open(t, browser, `http://${host}:${port}/`, 'the demo page');
  const { tab } = page;
  await tab.getByRole('status').filter({ hasText: /^Connected$/ }).waitFor();
  assert.match(await tab.locator('#socket').textContent(), /^\d+\.\d+$/);

  const name = unique('orders');
  await tab.getByLabel('Public channel to listen to').fill(name);
  await tab.getByRole('button', { name: 'Subscribe', exact: true }).click();
  const entry = tab.getByRole('list', { name: 'Channels you listen to' }).getByRole('listitem');
  await entry.filter({ hasText: name }).filter({ hasText: 'listening' }).waitFor();

  // Data is text to the page, never markup.
  const data = { note: '<img src=x onerror=tell("markup")> Zoë ☃' };
  await sdk.trigger(name, 'order-shipped', data);
  const line = tab.getByRole('log').locator('li').filter({ hasText: 'order-shipped' });
  assert.deepEqual(JSON.parse(await line.locator('pre').textContent()), data);
  assert.deepEqual(page.all('markup'), []);
  assert.equal(await tab.getByRole('alert').filter({ hasText: /./ }).count(), 0);
});
