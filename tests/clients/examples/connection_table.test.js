// examples/connection_table.rs: names of clients on all shards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Socket } from '../support/socket.js';
import { host, port } from '../support/target.js';

async function names() {
  const answer = await fetch(`http://${host}:${port}/people/names`);
  return answer.json();
}

/** A name is in the table some moments after its connection is open: ask until it is. */
async function until(wanted) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const now = await names();
    if (JSON.stringify(now) === JSON.stringify(wanted)) return;
    assert.ok(Date.now() < deadline, `${JSON.stringify(now)} is not ${JSON.stringify(wanted)}`);
  }
}

test('everybody is found by name, and letters are counted', async (t) => {
  const people = {};
  for (const name of ['ann', 'bob', 'cyd', 'dan']) {
    people[name] = await Socket.open(t, `/people?name=${name}`);
  }
  await until(['ann', 'bob', 'cyd', 'dan']);
  let letters = 0;
  for (const from of ['ann', 'cyd', 'dan']) {
    letters += 1;
    people[from].send('bob how are you?');
    assert.equal(await people.bob.next(), `${from} writes letter ${letters}: how are you?`);
  }
  people.ann.send('eve are you there?');
  assert.equal(await people.ann.next(), 'nobody is called eve');

  // A name belongs to one, and is free again when that one has gone.
  const second = await Socket.open(t, '/people?name=bob');
  assert.deepEqual(await second.closed(), { code: 4000, reason: 'the name is taken' });
  people.cyd.send('bob still there?');
  assert.equal(await people.bob.next(), 'cyd writes letter 4: still there?');
  await people.bob.close();
  await until(['ann', 'cyd', 'dan']);
  const third = await Socket.open(t, '/people?name=bob');
  await until(['ann', 'bob', 'cyd', 'dan']);
  people.ann.send('bob welcome back');
  assert.equal(await third.next(), 'ann writes letter 1: welcome back');
});

test('without a name nobody comes in', async () => {
  const refused = await Socket.refused('/people');
  assert.deepEqual(refused, { status: 400, text: 'Who are you?\n' });
});
