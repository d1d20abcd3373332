// Watchlists and subscription counts with pusher-js, over both shards: each is a switch of the app.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, backend } from '../support/backend.js';
import { openOn, openOnEach } from '../support/client.js';
import { Journal } from '../support/deadline.js';
import { app, socialApp, unique } from '../support/target.js';

const sdk = backend(socialApp);

/** A client on the shard that signs in and keeps what its watchlist tells. */
async function watcher(t, shard, id, watchlist, credentials = socialApp) {
  const user = { id, ...(watchlist ? { watchlist } : {}) };
  const client = await openOn(t, shard, { credentials, user });
  client.watched = new Journal(`the watchlist of ${id}`);
  for (const change of ['online', 'offline']) {
    client.pusher.user.watchlist.bind(change, ({ name, user_ids: ids }) => {
      for (const watched of ids) client.watched.add(`${watched} ${name}`);
    });
  }
  await client.signIn();
  return client;
}

test('a watchlist tells who is online on either shard, and who comes and goes (U10, U11)', async (t) => {
  const [ada, max, zoe] = [unique('ada'), unique('max'), unique('zoe')];
  await watcher(t, 1, max);
  const watching = await watcher(t, 0, ada, [max, zoe]);
  const first = await watching.watched.reach(2);
  assert.deepEqual(first.sort(), [`${max} online`, `${zoe} offline`]);

  const one = await watcher(t, 1, zoe);
  assert.equal((await watching.watched.reach(3))[2], `${zoe} online`);
  // A second connection changes nothing, nor does the end of the first (U11).
  const two = await watcher(t, 0, zoe);
  one.close();
  await two.settled();
  two.close();
  assert.equal((await watching.watched.reach(4))[3], `${zoe} offline`);
  // Back again; had anything else been told in between, it would stand before this.
  await watcher(t, 1, zoe);
  assert.equal((await watching.watched.reach(5))[4], `${zoe} online`);

  const order = watching.frames.all.map(({ event }) => event);
  const [success, told] = ['pusher:signin_success', 'pusher_internal:watchlist_events'];
  assert.ok(order.indexOf(success) < order.indexOf(told), 'U13: success first');
});

test('a user that is back within the pause was never gone (U11)', async (t) => {
  const [ada, zoe, eve] = [unique('ada'), unique('zoe'), unique('eve')];
  const page = await watcher(t, 1, zoe);
  const leaves = await watcher(t, 1, eve);
  const watching = await watcher(t, 0, ada, [zoe, eve]);
  await watching.watched.reach(2);
  page.close();
  await watcher(t, 1, zoe); // the next page of the same user
  // Whoever goes later is told of later: by then zoe's pause is over.
  leaves.close();
  const changes = (await watching.watched.reach(3)).slice(2);
  assert.deepEqual(changes, [`${eve} offline`]);
});

test('of more than 100 watched users the first 100 count, and 4302 is told (U12)', async (t) => {
  const prefix = unique('w');
  const watchlist = Array.from({ length: 101 }, (_, n) => `${prefix}-${n}`);
  const watching = await watcher(t, 0, unique('ada'), watchlist);
  assert.equal(watching.pusher.user.user_data.watchlist.length, 101);
  const { data } = await watching.errors.first(() => true, 'an error');
  assert.equal(data.code, 4302);
  assert.equal((await watching.watched.reach(100)).length, 100);
  await watcher(t, 1, watchlist[100]);
  await watcher(t, 1, watchlist[99]);
  assert.deepEqual((await watching.watched.reach(101)).slice(100), [`${watchlist[99]} online`]);
});

test('an application without the switch tells nothing of watchlists', async (t) => {
  const [ada, zoe] = [unique('ada'), unique('zoe')];
  const watching = await watcher(t, 0, ada, [zoe], app);
  await watcher(t, 1, zoe, undefined, app);
  await backend().sendToUser(ada, 'sentinel', {});
  await watching.frame(`#server-to-user-${ada}`, 'sentinel');
  assert.deepEqual(watching.watched.all, []);
});

test('subscribers are told how many they are (3.7)', async (t) => {
  const [zero, one] = await openOnEach(t, () => ({ credentials: socialApp }));
  for (const name of [unique('news'), unique('private-orders'), unique('cache-price')]) {
    const told = new Journal(`counts on ${name}`);
    const channel = await zero.subscribe(name);
    channel.bind('pusher:subscription_count', ({ subscription_count: count }) => told.add(count));
    await one.subscribe(name);
    await told.first((count) => count === 2);
    assert.equal(channel.subscriptionCount, 2);
    const state = await answer(
      sdk.get({ path: `/channels/${name}`, params: { info: 'subscription_count' } }),
    );
    assert.deepEqual(state, { occupied: true, subscription_count: 2 });
    one.pusher.unsubscribe(name);
    await told.first((count) => count === 1);
    // S3: the success comes before the first count.
    const frames = zero.frames.all.filter(({ channel: of }) => of === name);
    assert.equal(frames[0].event, 'pusher_internal:subscription_succeeded');
  }
});

test('nobody is told counts of presence channels, nor where they are off (3.7)', async (t) => {
  const member = (shard) => ({ member: { user_id: `u-${shard}` } });
  const social = await openOnEach(t, (shard) => ({ credentials: socialApp, ...member(shard) }));
  const plain = await openOnEach(t, member);
  const [room, news] = [unique('presence-room'), unique('news')];
  for (const client of social) await client.subscribe(room);
  for (const client of plain) await client.subscribe(news);
  await sdk.trigger(room, 'sentinel', {});
  await backend().trigger(news, 'sentinel', {});
  for (const [clients, name] of [[social, room], [plain, news]]) {
    for (const client of clients) {
      await client.frame(name, 'sentinel');
      const counts = client.frames.all.filter(({ event }) => /subscription_count/.test(event));
      assert.deepEqual(counts, []);
    }
  }
});
