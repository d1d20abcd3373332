// examples/named_handlers.rs: a function for each event.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Socket } from '../support/socket.js';

test('events reach their functions, and what cannot be served is answered', async (t) => {
  const socket = await Socket.open(t, '/calculator');
  const ask = (event, data) => socket.send(JSON.stringify({ event, data }));
  ask('add', [1, 2, 3.5]);
  assert.deepEqual(await socket.nextJson(), { event: 'sum', data: 6.5 });
  ask('divide', { what: 1, by: 4 });
  assert.deepEqual(await socket.nextJson(), { event: 'quotient', data: 0.25 });
  ask('divide', { what: 1, by: 0 });
  assert.deepEqual(await socket.nextJson(), { event: 'refused', data: 'not by zero' });
  ask('sing', null);
  assert.deepEqual(await socket.nextJson(), { event: 'refused', data: 'I cannot sing' });
  ask('divide', { what: 'pi' });
  const { event, data } = await socket.nextJson();
  assert.deepEqual([event, data.reason, data.event], ['error', 'bad-data', 'divide']);
  socket.send('{');
  assert.equal((await socket.nextJson()).data.reason, 'bad-json');
  socket.send(Buffer.from([1]));
  assert.equal((await socket.nextJson()).data.reason, 'not-text');
  ask('add', [5]);
  assert.deepEqual(await socket.nextJson(), { event: 'sum', data: 5 });
});
