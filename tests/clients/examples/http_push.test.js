// examples/http_push.rs: what is posted reaches every client.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Socket } from '../support/socket.js';
import { host, port } from '../support/target.js';

const post = (body) => fetch(`http://${host}:${port}/push`, { method: 'POST', body });

test('text and bytes reach every client on both shards', async (t) => {
  const sockets = [];
  for (let at = 0; at < 8; at += 1) sockets.push(await Socket.open(t, '/listen'));
  const answer = await post('hello ☃');
  assert.equal(answer.status, 202);
  assert.equal(await answer.text(), 'sent to 8\n');
  for (const socket of sockets) assert.equal(await socket.next(), 'hello ☃');
  const bytes = Buffer.from([0xff, 0, 0xfe]);
  await (await post(bytes)).text();
  for (const socket of sockets) assert.deepEqual(await socket.next(), bytes);
});

test('only POST pushes, and clients only listen', async (t) => {
  const got = await fetch(`http://${host}:${port}/push`);
  assert.equal(got.status, 405);
  assert.equal(got.headers.get('allow'), 'POST, OPTIONS');
  const socket = await Socket.open(t, '/listen');
  socket.send('hello?');
  assert.deepEqual(await socket.closed(), { code: 1008, reason: 'this is for listening only' });
});
