// An application for TLS only, beside a port in clear: pusher-js is sent from one to the other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backend } from '../support/backend.js';
import { open } from '../support/client.js';
import { port, tlsPort, unique } from '../support/target.js';

test('a client in clear is told 4000 and comes back over TLS by itself (H7)', async (t) => {
  assert.notEqual(port, tlsPort);
  const client = await open(t, { forceTLS: false, enabledTransports: ['ws', 'wss'] });
  assert.equal(client.pusher.connection.usingTLS, true);
  assert.match(JSON.stringify(client.errors.all), /"code":4000/);
  const name = unique('news');
  await client.subscribe(name);
  await backend().trigger(name, 'told', { over: 'TLS' });
  const [{ data }] = await client.events(name, 1);
  assert.deepEqual(data, { over: 'TLS' });
});
