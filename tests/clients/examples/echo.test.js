// examples/echo.rs: what is said comes back as it was said.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Socket } from '../support/socket.js';

test('text comes back as text and bytes as bytes, in order', async (t) => {
  const socket = await Socket.open(t, '/echo');
  const said = ['hello', '', 'Zoë ☃', Buffer.from([0, 1, 255]), Buffer.alloc(0), 'x'.repeat(60_000)];
  for (const message of said) socket.send(message);
  for (const message of said) assert.deepEqual(await socket.next(), message);
  assert.equal((await socket.close(1000)).code, 1000);
});

test('a message above the limit ends the connection with 1009', async (t) => {
  const limit = 16 * 1024 * 1024; // more than comes back without a larger --outbox-bytes
  const socket = await Socket.open(t, '/echo');
  socket.send('x'.repeat(limit / 32));
  assert.equal((await socket.next()).length, limit / 32);
  socket.send('x'.repeat(limit + 1));
  assert.equal((await socket.closed()).code, 1009);
});
