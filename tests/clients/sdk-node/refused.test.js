// npm `pusher`: credentials that are refused, and each limit at its edge and one past it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, backend, refusal } from '../support/backend.js';
import { open } from '../support/client.js';
import { app, demoApp, host, port, quietApp, unique } from '../support/target.js';

const wrongCredentials = {
  'a wrong secret': [{ secret: 'wrong-secret' }, 401],
  'a blank secret': [{ secret: ' ' }, 401],
  'an unknown key': [{ key: 'no-such-key' }, 401],
  "another application's key and secret": [{ key: quietApp.key, secret: quietApp.secret }, 401],
  'an unknown application': [{ appId: '9999' }, 404],
  // Configured applications take the place of the demo.
  'the demo credentials': [demoApp, 404],
};

for (const [kind, [overrides, status]] of Object.entries(wrongCredentials)) {
  test(`every request with ${kind} is refused with ${status} and does nothing`, async (t) => {
    const client = await open(t, { member: { user_id: 'ada' } });
    const [news, room] = [unique('news'), unique('presence-room')];
    await client.subscribe(news);
    await client.subscribe(room);
    const sdk = backend(overrides);
    const requests = {
      trigger: () => sdk.trigger(news, 'forged', {}),
      batch: () => sdk.triggerBatch([{ channel: news, name: 'forged', data: {} }]),
      channels: () => sdk.get({ path: '/channels' }),
      channel: () => sdk.get({ path: `/channels/${news}` }),
      users: () => sdk.get({ path: `/channels/${room}/users` }),
    };
    for (const [what, request] of Object.entries(requests)) {
      const refused = await refusal(request());
      assert.equal(refused.status, status, what);
      assert.notEqual(refused.body, '', what);
    }
    await backend().trigger(news, 'sentinel', {});
    await client.frame(news, 'sentinel');
    assert.deepEqual(client.eventNames(news), ['sentinel']);
  });
}

test('a body that was changed after signing is refused with 401', async (t) => {
  const client = await open(t);
  const name = unique('news');
  await client.subscribe(name);
  const event = (data) => JSON.stringify({ name: 'signed', channels: [name], data });
  const path = `/apps/${app.appId}/events`;
  const query = backend().createSignedQueryString({ method: 'POST', path, body: event('ours') });
  const url = `${backend().config.getBaseURL()}${path}?${query}`;

  const forged = await fetch(url, { method: 'POST', body: event('theirs') });
  assert.equal(forged.status, 401);
  const other = await fetch(url.replace('/events?', '/batch_events?'), {
    method: 'POST',
    body: event('ours'),
  });
  assert.equal(other.status, 401);
  const genuine = await fetch(url, { method: 'POST', body: event('ours') });
  assert.equal(genuine.status, 200);
  await client.frame(name, 'signed');
  assert.deepEqual(
    client.frames.all.filter(({ event: e }) => e === 'signed').map(({ data }) => data),
    ['ours'],
  );
});

test('10,240 bytes of data pass, 10,241 are refused with 413', async (t) => {
  const client = await open(t);
  const name = unique('news');
  await client.subscribe(name);
  await backend().trigger(name, 'fits', 'x'.repeat(10_240));
  assert.equal((await client.frame(name, 'fits')).data.length, 10_240);
  // Bytes count, not characters: 5,120 two-byte letters are at the limit.
  await backend().trigger(name, 'letters', 'é'.repeat(5_120));
  assert.equal((await client.frame(name, 'letters')).data.length, 5_120);

  for (const data of ['x'.repeat(10_241), `${'é'.repeat(5_120)}x`]) {
    const refused = await refusal(backend().trigger(name, 'large', data));
    assert.equal(refused.status, 413);
  }
  const item = (data) => ({ channel: name, name: 'large', data });
  const batch = [item('x'), item('x'.repeat(10_241))];
  assert.equal((await refusal(backend().triggerBatch(batch))).status, 413);

  await backend().trigger(name, 'sentinel', {});
  await client.frame(name, 'sentinel');
  assert.deepEqual(client.eventNames(name), ['fits', 'letters', 'sentinel']);
});

test('10 KB of quotes, which double when escaped, pass', async (t) => {
  const client = await open(t);
  const name = unique('news');
  await client.subscribe(name);
  const data = '"'.repeat(10_240);
  await backend().trigger(name, 'quotes', data);
  assert.equal((await client.frame(name, 'quotes')).data, data);
  // A full batch of them is the largest legal body.
  const batch = Array.from({ length: 10 }, () => ({ channel: name, name: 'quotes', data }));
  await backend().triggerBatch(batch);
  const events = await client.events(name, 11);
  for (const event of events) assert.equal(event.data, data);
});

test('an event to 100 channels passes, to 101 is refused with 400', async (t) => {
  const client = await open(t);
  const names = Array.from({ length: 101 }, () => unique('news'));
  await client.subscribe(names[0]);
  await client.subscribe(names[99]);
  assert.deepEqual(await answer(backend().trigger(names.slice(0, 100), 'fits', {})), {});
  await client.frame(names[0], 'fits');
  await client.frame(names[99], 'fits');

  // The SDK refuses 101 by itself; its lower call does not.
  assert.throws(() => backend().trigger(names, 'many', {}), /more than 100 channels/);
  const body = { name: 'many', channels: names, data: '{}' };
  assert.equal((await refusal(backend().post({ path: '/events', body }))).status, 400);
  await backend().trigger(names[0], 'sentinel', {});
  await client.frame(names[0], 'sentinel');
  assert.deepEqual(client.eventNames(names[0]), ['fits', 'sentinel']);
});

test('a batch of 10 passes, of 11 is refused with 400 and sends nothing', async (t) => {
  const client = await open(t);
  const name = unique('news');
  await client.subscribe(name);
  const batch = (length, event) =>
    Array.from({ length }, () => ({ channel: name, name: event, data: 1 }));
  await backend().triggerBatch(batch(10, 'fits'));
  await client.events(name, 10);
  assert.equal((await refusal(backend().triggerBatch(batch(11, 'many')))).status, 400);
  assert.equal((await refusal(backend().triggerBatch([]))).status, 400);
  await backend().trigger(name, 'sentinel', {});
  await client.frame(name, 'sentinel');
  assert.equal(client.eventNames(name).length, 11);
});

test('one bad item refuses the whole batch (8.4)', async (t) => {
  const client = await open(t);
  const name = unique('news');
  await client.subscribe(name);
  const good = { channel: name, name: 'good', data: '1' };
  const bad = [
    { ...good, channel: 'no spaces' },
    { ...good, name: 'x'.repeat(201) },
    { ...good, socket_id: 'not-a-socket' },
    { channel: name, data: '1' },
    { name: 'good', data: '1' },
  ];
  for (const item of bad) {
    // The SDK's lower call, which does not look at the items.
    const body = { batch: [good, item] };
    const refused = await refusal(backend().post({ path: '/batch_events', body }));
    assert.equal(refused.status, 400, JSON.stringify(item));
  }
  await backend().trigger(name, 'sentinel', {});
  await client.frame(name, 'sentinel');
  assert.deepEqual(client.eventNames(name), ['sentinel']);
});

test('event and channel names of 200 characters pass, of 201 are refused with 400', async (t) => {
  const client = await open(t);
  const name = unique('long').padEnd(200, 'x');
  await client.subscribe(name);
  const post = (body) => backend().post({ path: '/events', body });
  await answer(post({ name: 'e'.repeat(200), channels: [name], data: '{}' }));
  await client.frame(name, 'e'.repeat(200));
  const refused = [
    { name: 'e'.repeat(201), channels: [name], data: '{}' },
    { name: 'e', channels: [`${name}x`], data: '{}' },
  ];
  for (const body of refused) assert.equal((await refusal(post(body))).status, 400);
});

const badEvents = {
  'no name': { channels: ['a'], data: '{}' },
  'a name that is a number': { name: 7, channels: ['a'], data: '{}' },
  'an empty name': { name: '', channels: ['a'], data: '{}' },
  'no channel': { name: 'e', data: '{}' },
  'an empty list of channels': { name: 'e', channels: [], data: '{}' },
  'a channel that is a number': { name: 'e', channels: [7], data: '{}' },
  'a space in a channel': { name: 'e', channels: ['a b'], data: '{}' },
  'an empty channel': { name: 'e', channels: [''], data: '{}' },
  'one bad channel among good ones': { name: 'e', channels: ['a', 'b/c'], data: '{}' },
  'no data': { name: 'e', channels: ['a'] },
  'data null': { name: 'e', channels: ['a'], data: null },
  'a malformed socket id': { name: 'e', channels: ['a'], data: '{}', socket_id: '1.2.3' },
  'a list as body': [{ name: 'e', channels: ['a'], data: '{}' }],
};

for (const [kind, body] of Object.entries(badEvents)) {
  test(`an event is refused with 400: ${kind}`, async () => {
    const refused = await refusal(backend().post({ path: '/events', body }));
    assert.equal(refused.status, 400);
    assert.notEqual(refused.body, '');
  });
}

test('the demo page is not served beside configured applications', async () => {
  const response = await fetch(`http://${host}:${port}/`);
  assert.match(response.headers.get('content-type'), /^text\/plain\b/);
  assert.equal((await response.text()).trim(), 'OK');
});

test('unknown paths are 404', async () => {
  for (const path of ['/nothing', '/channels/a/b/c']) {
    assert.equal((await refusal(backend().get({ path }))).status, 404, path);
  }
});
