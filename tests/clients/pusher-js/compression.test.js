// The npm package `ws`, which offers permessage-deflate unless told not to, against a server that was
// told to compress. How much went over the wire is read from the socket below it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { backend } from '../support/backend.js';
import { Journal, within } from '../support/deadline.js';
import { startServer } from '../support/server.js';
import { app, host, unique } from '../support/target.js';

const verse = Array.from({ length: 300 }, (_, n) => `line ${n} of a verse`).join('; ');

/** A socket of the app, the TCP connection below it, and a journal of its frames. */
async function open(t, port, perMessageDeflate) {
  const url = `ws://${host}:${port}/app/${app.key}?protocol=7&client=ws`;
  const socket = new WebSocket(url, { perMessageDeflate });
  t.after(() => socket.terminate());
  const frames = new Journal('frames');
  socket.on('message', (text) => frames.add(JSON.parse(text)));
  const upgraded = new Promise((resolve, reject) => {
    socket.on('upgrade', (response) => resolve(response.socket));
    socket.on('error', reject);
  });
  const wire = await within(upgraded, 'the answer to the handshake');
  await frames.first(({ event }) => event === 'pusher:connection_established', 'the greeting');
  return { socket, wire, frames };
}

const say = (socket, event, data) => socket.send(JSON.stringify({ event, data }));

/** Subscribes, and resolves with the data of the event that is triggered then. */
async function hear({ socket, frames }, port, channel) {
  say(socket, 'pusher:subscribe', { channel });
  await frames.first(({ event }) => event === 'pusher_internal:subscription_succeeded', 'success');
  await backend({ port: String(port) }).trigger(channel, 'verse', { verse });
  const { data } = await frames.first(({ event }) => event === 'verse', 'the event');
  return JSON.parse(data).verse;
}

test('ws is sent compressed events and is understood when it compresses', async (t) => {
  const { port } = await startServer(t, 0, ['--websocket-compression']);
  const client = await open(t, port, { threshold: 0 });
  assert.equal(client.socket.extensions, 'permessage-deflate');
  assert.equal(await hear(client, port, unique('news')), verse);
  const { bytesRead, bytesWritten } = client.wire;
  assert.ok(bytesRead < verse.length, `${bytesRead} bytes for an event of ${verse.length}`);

  say(client.socket, 'pusher:ping', { verse });
  await client.frames.first(({ event }) => event === 'pusher:pong', 'an answer');
  const sent = client.wire.bytesWritten - bytesWritten;
  assert.ok(sent > 0 && sent < verse.length, `${sent} bytes for a ping of ${verse.length}`);
});

test('ws is sent plain events when it does not offer, and when the server does not want', async (t) => {
  for (const [args, offer] of [
    [['--websocket-compression'], false],
    [[], true],
  ]) {
    const { port } = await startServer(t, 0, args);
    const client = await open(t, port, offer);
    assert.equal(client.socket.extensions, '');
    assert.equal(await hear(client, port, unique('news')), verse);
    assert.ok(client.wire.bytesRead > verse.length);
  }
});
