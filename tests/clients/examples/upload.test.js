// examples/upload.rs: a long message is taken while it arrives.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Socket } from '../support/socket.js';

const MEGABYTE = 1 << 20;

function pieceOf(at) {
  return Buffer.alloc(64 * 1024, `piece ${at};`);
}

test('progress is told while the message is on its way, and its sum at the end', async (t) => {
  const socket = await Socket.open(t, '/upload');
  const digest = createHash('sha256');
  const pieces = (20 * MEGABYTE) / (64 * 1024);
  // The first half leaves, and is reported, before the second half is made.
  const send = (at) => {
    const piece = pieceOf(at);
    digest.update(piece);
    socket.raw.send(piece, { binary: true, fin: at === pieces - 1 });
  };
  for (let at = 0; at < pieces / 2; at += 1) send(at);
  for (let at = 1; at < 10; at += 1) {
    const [word, bytes] = (await socket.next('a report')).split(' ');
    assert.equal(word, 'received');
    assert.ok(Number(bytes) >= at * MEGABYTE, `${bytes} at report ${at}`);
  }
  for (let at = pieces / 2; at < pieces; at += 1) send(at);
  let message = await socket.next();
  while (message.startsWith('received ')) message = await socket.next();
  assert.equal(message, `done ${20 * MEGABYTE} sha256 ${digest.digest('hex')}`);
});

test('short messages are taken too, one after the other', async (t) => {
  const socket = await Socket.open(t, '/upload');
  for (const words of ['', 'hello']) socket.send(words);
  for (const words of ['', 'hello']) {
    const sum = createHash('sha256').update(words).digest('hex');
    assert.equal(await socket.next(), `done ${words.length} sha256 ${sum}`);
  }
});
