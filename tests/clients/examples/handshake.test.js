// examples/handshake.rs: the password decides, and the session is at hand afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Socket } from '../support/socket.js';

test('without the password nobody comes in', async () => {
  for (const query of ['', '?name=Ann', '?name=Ann&password=', '?name=Ann&password=Swordfish']) {
    const refused = await Socket.refused(`/club${query}`);
    assert.deepEqual(refused, { status: 403, text: 'Wrong password.\n' }, query);
  }
  const nameless = await Socket.refused('/club?password=swordfish');
  assert.deepEqual(nameless, { status: 400, text: 'Who are you?\n' });
});

test('with it the name of the handshake is known until the end', async (t) => {
  const socket = await Socket.open(t, '/club?name=Zo%C3%AB&password=swordfish');
  assert.equal(await socket.next(), 'Welcome, Zoë!');
  for (const times of [1, 2]) {
    socket.send('hello');
    assert.equal(await socket.next(), `Zoë, you have said something ${times} times.`);
  }
});
