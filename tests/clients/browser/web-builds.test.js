// The web builds of pusher-js and Laravel Echo in headless Chromium: presence, whispers, encryption.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backend } from '../support/backend.js';
import { Page, connectOn, launch, site } from '../support/browser.js';
import { port, unique } from '../support/target.js';

const [browser, origin] = await Promise.all([launch(), site()]);

/** A page with the scripts, connected as the user to the shard. */
async function visit(t, user, shard, files, options = {}) {
  const page = await Page.open(t, browser, `${origin}/page?${files.join('&')}&page.js`, user);
  const { connect = (o) => window.connect(o), ...rest } = options;
  page.reconnect = () => connectOn(page, shard, connect, { user, ...rest });
  await page.reconnect();
  return page;
}

const join = (page, name, ...events) => page.run((o) => window.join(o), { name, events });

for (const build of ['pusher.js', 'pusher-with-encryption.js']) {
  test(`${build}: two pages see each other join and leave (P1 to P4, S10)`, async (t) => {
    const room = unique('presence-room');
    const ada = await visit(t, 'ada', 0, [build]);
    const max = await visit(t, 'max', 1, [build]);
    const [one, two] = [{ name: 'ada' }, { name: 'max' }];

    const alone = await join(ada, room);
    assert.deepEqual(alone, { me: { id: 'ada', info: one }, count: 1, all: { ada: one } });
    const both = await join(max, room);
    assert.deepEqual(both.all, { ada: one, max: two });
    assert.deepEqual(await ada.told('added'), { id: 'max', info: two });

    // A reload is a leave and a join.
    await max.tab.reload();
    assert.deepEqual(await ada.told('removed'), { id: 'max', info: two });
    await max.reconnect();
    await join(max, room);
    assert.deepEqual(await ada.told('added', 2), { id: 'max', info: two });

    // So is closing the page, without a word to the server from the application.
    await ada.close();
    assert.deepEqual(await max.told('removed'), { id: 'ada', info: one });
    assert.deepEqual([ada.all('error'), max.all('error')], [[], []]);
  });

  test(`${build}: a client event and a triggered one reach the page (CE1, CE2, S12)`, async (t) => {
    const room = unique('presence-room');
    const ada = await visit(t, 'ada', 0, [build]);
    const max = await visit(t, 'max', 1, [build]);
    for (const page of [ada, max]) await join(page, room, 'client-typing', 'note');
    const trigger = ({ name, data }) => window.pusher.channel(name).trigger('client-typing', data);
    assert.equal(await ada.run(trigger, { name: room, data: { at: 'Zoë ☃' } }), true);
    const heard = { data: { at: 'Zoë ☃' }, user_id: 'ada' };
    assert.deepEqual(await max.told('client-typing'), heard);
    await backend().trigger(room, 'note', { text: '日本 \u{1F680}' });
    for (const page of [ada, max]) {
      assert.deepEqual(await page.told('note'), { text: '日本 \u{1F680}' });
    }
    assert.deepEqual(ada.all('client-typing'), [], 'the sender hears nothing');
  });
}

test('a page signs in, and an event for its user reaches its tabs on both shards (U1, U7)', async (t) => {
  const user = unique('ada');
  const tabs = [];
  for (const shard of [0, 1]) {
    const page = await visit(t, user, shard, ['pusher.js']);
    assert.deepEqual(await page.run((o) => window.signIn(o), { event: 'note' }), { id: user });
    tabs.push(page);
  }
  await backend().sendToUser(user, 'note', { text: 'Zoë ☃' });
  for (const page of tabs) assert.deepEqual(await page.told('note'), { text: 'Zoë ☃' });
  // Terminated, both tabs are told so and stay away.
  const ended = tabs.map((page) =>
    page.run(
      () =>
        new Promise((resolve) => {
          window.pusher.connection.bind('disconnected', () => resolve('disconnected'));
        }),
    ),
  );
  // A page does one thing after the other: now both listen for the end.
  await Promise.all(tabs.map((page) => page.run(() => window.pusher.connection.state)));
  await backend().terminateUserConnections(user);
  assert.deepEqual(await Promise.all(ended), ['disconnected', 'disconnected']);
  for (const page of tabs) assert.equal((await page.told('error')).data.code, 4009);
});

const decrypting = {
  'pusher-with-encryption.js': [['pusher-with-encryption.js'], {}],
  'pusher.js with the nacl option': [['nacl.js', 'pusher.js'], { withNacl: true }],
};

for (const [title, [files, options]] of Object.entries(decrypting)) {
  test(`${title}: an encrypted channel is decrypted in the page (E1, E2)`, async (t) => {
    const room = unique('private-encrypted-room');
    const pages = [];
    for (const shard of [0, 1]) {
      const page = await visit(t, `u-${shard}`, shard, files, options);
      await join(page, room, 'note');
      pages.push(page);
    }
    await backend().trigger(room, 'note', { secret: 'Zoë ☃' });
    for (const page of pages) assert.deepEqual(await page.told('note'), { secret: 'Zoë ☃' });
  });
}

test('Laravel Echo: here, joining, whisper and leaving between two pages (CE7)', async (t) => {
  const name = unique('room');
  const connect = (o) => window.connectEcho(o);
  const pages = [];
  for (const [shard, user] of ['ada', 'max'].entries()) {
    const page = await visit(t, user, shard, ['pusher.js', 'echo.js'], { connect });
    await page.run((o) => window.enter(o), { name, whisper: 'typing' });
    await page.told('here');
    pages.push(page);
  }
  const [ada, max] = pages;
  assert.deepEqual(ada.all('here'), [[{ name: 'ada' }]]);
  const here = await max.told('here');
  assert.deepEqual(here.map((user) => user.name).sort(), ['ada', 'max']);
  assert.deepEqual(await ada.told('joining'), { name: 'max' });

  await ada.run((room) => void window.echo.join(room).whisper('typing', { by: 'ada' }), name);
  assert.deepEqual(await max.told('whisper'), { by: 'ada' });
  await max.run((room) => window.echo.leave(room), name);
  assert.deepEqual(await ada.told('leaving'), { name: 'max' });
  assert.deepEqual(ada.all('whisper'), []);
});

test('Laravel Echo: an encrypted private channel in the page (E1)', async (t) => {
  const name = unique('vault');
  const connect = (o) => window.connectEcho(o);
  const files = ['pusher-with-encryption.js', 'echo.js'];
  const page = await visit(t, 'ada', 1, files, { connect });
  await page.run(
    (room) =>
      new Promise((resolve) => {
        const channel = window.echo.encryptedPrivate(room);
        channel.listen('Paid', (data) => window.tell('paid', data)).subscribed(resolve);
      }),
    name,
  );
  await backend().trigger(`private-encrypted-${name}`, 'App\\Events\\Paid', { sum: 12.5 });
  assert.deepEqual(await page.told('paid'), { sum: 12.5 });
});

test('a page with the wrong key is refused with 4001 and stays away (rule 5)', async (t) => {
  const page = await Page.open(t, browser, `${origin}/page?pusher.js&page.js`, 'nobody');
  const state = await page.run(
    (wsPort) =>
      new Promise((resolve) => {
        window.connect({ key: 'no-such-key', port: wsPort });
        window.pusher.connection.bind('disconnected', () => resolve('disconnected'));
      }),
    port,
  );
  assert.equal(state, 'disconnected');
  assert.equal((await page.told('error')).data.code, 4001);
});
