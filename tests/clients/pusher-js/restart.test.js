// A server that is stopped and replaced under a crowd of pusher-js clients.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, backend } from '../support/backend.js';
import { Client } from '../support/client.js';
import { becomes } from '../support/deadline.js';
import { startServer } from '../support/server.js';

const CROWD = 200;
/** Connections each shard of the successor accepts a second. */
const ACCEPTED = 50;

/** What one client goes through: when it was cut off, how long it means to wait, when it is back. */
function follow(client) {
  const moments = { pauses: [], lost: undefined, back: undefined };
  const { connection } = client.pusher;
  connection.bind('connecting_in', (seconds) => {
    moments.pauses.push(seconds);
    moments.lost ??= performance.now();
  });
  connection.bind('state_change', ({ current }) => {
    if (current === 'connected') moments.back = performance.now();
  });
  return moments;
}

// Conformance item 12, W22, Q29: nobody knows of a successor, so 4100, and each client waits a second.
test('after a stop a crowd comes back as the successor can take it, with all it had', async (t) => {
  const first = await startServer(t);
  const { port } = first;
  const crowd = [];
  t.after(() => crowd.forEach((client) => client.close()));
  for (let n = 0; n < CROWD; n += 1) {
    crowd.push(new Client({ wsPort: port, member: { user_id: `u-${n}` } }));
  }
  await Promise.all(crowd.map((client) => client.connected()));
  // A presence channel holds 100 users: the crowd sits in four rooms.
  const rooms = crowd.map((_, n) => `presence-room-${n % 4}`);
  await Promise.all(crowd.map((client, n) => client.subscribe(rooms[n])));
  const ids = new Set(crowd.map(({ socketId }) => socketId));

  const moments = crowd.map(follow);
  assert.equal(await first.stop(), 0);
  await startServer(t, port, ['--accept-per-second', ACCEPTED]);
  const connected = (state) => state === 'connected';
  await Promise.all(crowd.map(({ states }) => states.reach(2, connected, 'connected again')));

  for (const { pauses, lost, back } of moments) {
    assert.ok(pauses.length >= 1 && pauses.every((pause) => pause >= 1), `${pauses}`);
    assert.ok(back - lost >= 950, `back after ${back - lost} ms`);
  }
  const times = moments.map(({ back }) => back).sort((a, b) => a - b);
  const spread = times.at(-1) - times[0];
  const least = ((CROWD / 2 - ACCEPTED) / ACCEPTED) * 1000;
  assert.ok(spread >= 0.5 * least, `all ${CROWD} were back within ${spread} ms`);

  // All of them are who and where they were, on new connections.
  for (const { socketId } of crowd) assert.equal(ids.has(socketId), false);
  const sdk = backend({ port: String(port) });
  for (const room of new Set(rooms)) {
    const count = () => answer(sdk.get({ path: `/channels/${room}`, params: { info: 'user_count' } }));
    await becomes(count, { occupied: true, user_count: CROWD / 4 });
  }
  await sdk.trigger([...new Set(rooms)], 'back', {});
  await Promise.all(crowd.map((client, n) => client.frame(rooms[n], 'back')));
  for (const [n, client] of crowd.entries()) {
    assert.deepEqual(client.eventNames(rooms[n]), ['back']);
  }
});

test('clients are told 4100 and why, and none of them takes it for the end (rule 6)', async (t) => {
  const server = await startServer(t);
  const clients = [];
  t.after(() => clients.forEach((client) => client.close()));
  for (let n = 0; n < 6; n += 1) clients.push(new Client({ wsPort: server.port }));
  await Promise.all(clients.map((client) => client.connected()));
  assert.equal(await server.stop(), 0);
  for (const client of clients) {
    const { data } = await client.frames.first(({ event }) => event === 'pusher:error');
    assert.equal(data.code, 4100);
    assert.ok(data.message.length > 0);
    await client.states.first((state) => state === 'connecting', 'a try to connect again');
    assert.equal(client.states.all.includes('disconnected'), false);
  }
});

// Conformance item 12, W22: told 4200, pusher-js comes back at once, so that the waves of the stop are
// what spreads a crowd. The listeners are closed before the first wave, and the successor takes over.
test('a crowd that is told 4200 comes to the successor in the waves of the stop', async (t) => {
  const spread = 2000;
  const first = await startServer(t, 0, ['--drain-close', 4200, '--drain-spread-ms', spread]);
  const crowd = [];
  t.after(() => crowd.forEach((client) => client.close()));
  for (let n = 0; n < CROWD; n += 1) crowd.push(new Client({ wsPort: first.port }));
  await Promise.all(crowd.map((client) => client.connected()));
  const moments = crowd.map(follow);
  const lost = crowd.map(({ frames }, n) =>
    frames.first(({ event }) => event === 'pusher:error').then(({ data }) => {
      assert.equal(data.code, 4200);
      moments[n].told = performance.now();
    }),
  );
  const stopped = first.stop();
  await startServer(t, first.port);
  assert.equal(await stopped, 0);
  await Promise.all(lost);
  const connected = (state) => state === 'connected';
  await Promise.all(crowd.map(({ states }) => states.reach(2, connected, 'connected again')));
  for (const key of ['told', 'back']) {
    const times = moments.map((moment) => moment[key]).sort((a, b) => a - b);
    const took = times.at(-1) - times[0];
    assert.ok(took >= 0.5 * spread, `all ${CROWD} within ${took} ms: ${key}`);
  }
});
