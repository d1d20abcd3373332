// examples/chat: the page in two windows of headless Chromium, and plain clients beside it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page, launch } from '../support/browser.js';
import { Socket } from '../support/socket.js';
import { host, port } from '../support/target.js';

const browser = await launch();

async function enter(t, name) {
  const { tab } = await Page.open(t, browser, `http://${host}:${port}/`, `${name}'s window`);
  await tab.getByLabel('Your name').fill(name);
  await tab.getByRole('button', { name: 'Enter' }).click();
  await tab.getByRole('status').filter({ hasText: `In the room as ${name}` }).waitFor();
  return {
    tab,
    line: (text) => tab.getByRole('log').locator('li').filter({ hasText: text }).waitFor(),
    async say(words) {
      await tab.getByLabel('Say something').fill(words);
      await tab.getByRole('button', { name: 'Send' }).click();
    },
  };
}

test('two windows talk to each other, and markup stays text', async (t) => {
  const ann = await enter(t, 'Ann');
  const bob = await enter(t, 'Bob');
  await ann.line('Bob came in');
  await ann.say('Hello <b>Bob</b> & all');
  for (const window of [ann, bob]) await window.line('Hello <b>Bob</b> & all');
  await bob.say('Hi Ann');
  await ann.line('Hi Ann');
  assert.equal(await ann.tab.locator('li.own').count(), 1);
  await bob.tab.close();
  await ann.line('Bob left');
});

test('who has no name, or too long a one, is not let in', async () => {
  for (const query of ['', '?name=', '?name=%20%20', `?name=${'x'.repeat(21)}`]) {
    assert.equal((await Socket.refused(`/chat${query}`)).status, 400, query);
  }
});

test('a room over both shards: everybody hears everybody', async (t) => {
  const guests = [];
  for (let at = 0; at < 8; at += 1) {
    const guest = await Socket.open(t, `/chat?name=guest${at}`);
    guests.push(guest);
    for (const each of guests) assert.equal((await each.nextJson()).who, `guest${at}`);
  }
  for (const [at, guest] of guests.entries()) {
    guest.send(`I am ${at}`);
    for (const each of guests) {
      assert.deepEqual(await each.nextJson(), { kind: 'said', who: `guest${at}`, words: `I am ${at}` });
    }
  }
  guests[0].send('x'.repeat(2_001));
  assert.equal((await guests[0].closed()).code, 1009);
});
