// examples/mishaps.rs: what breaks in a handler ends one client, and others are served.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Socket } from '../support/socket.js';
import { host, port } from '../support/target.js';

const closed = { code: 1011, reason: 'Internal error' };

test('a client whose handler breaks is told and closed, and another one stays', async (t) => {
  const other = await Socket.open(t, '/mishaps');
  assert.match(await other.next(), /^shard \d$/);
  for (const [word, error] of [['panic', /^sorry: the handler panicked/], ['fail', /^sorry: as /]]) {
    const socket = await Socket.open(t, '/mishaps');
    assert.match(await socket.next(), /^shard \d$/);
    socket.send(word);
    assert.match(await socket.next(), error);
    assert.deepEqual(await socket.closed(), closed);
    other.send('well?');
    assert.equal(await other.next(), 'well?');
  }
  const socket = await Socket.open(t, '/mishaps?in=open');
  assert.match(await socket.next(), /^shard \d$/);
  assert.match(await socket.next(), /^sorry: the handler panicked/);
  assert.deepEqual(await socket.closed(), closed);
});

test('a panic before there is a client is answered 500', async () => {
  const { status } = await Socket.refused('/mishaps?in=handshake');
  assert.equal(status, 500);
  const answer = await fetch(`http://${host}:${port}/mishaps?in=request`);
  assert.equal(answer.status, 500);
  const well = await fetch(`http://${host}:${port}/mishaps`);
  assert.equal(await well.text(), 'well\n');
});
