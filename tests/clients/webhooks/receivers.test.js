// Receivers of webhooks built on the verifiers of npm `pusher` and PyPI `pusher`, told by a server of
// the test's own.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { backend } from '../support/backend.js';
import { open } from '../support/client.js';
import { Journal, within } from '../support/deadline.js';
import { app, host, quietApp, shards } from '../support/target.js';

const verifier = fileURLToPath(new URL('../python/verify_webhooks.py', import.meta.url));

function fromEnvironment(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with cargo`);
  return value;
}

/** A customer's backend: keeps each request, answers with the status that `decide(number)` says. */
async function receiver(t, decide = () => 200) {
  const requests = new Journal('requests');
  let count = 0;
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const status = decide(count);
    count += 1;
    response.writeHead(status, { Connection: 'close' }).end();
    const rawBody = Buffer.concat(chunks).toString('utf8');
    requests.add({ status, headers: request.headers, rawBody });
  });
  await new Promise((resolve) => server.listen(0, host, resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return { requests, url: `http://${host}:${server.address().port}/hook` };
}

/** A server whose apps tell `url`; `stop` ends it as an operator does. */
async function toldBy(t, url, settings = '') {
  const folder = await mkdtemp(join(tmpdir(), 'shardcast-webhooks-'));
  t.after(() => rm(folder, { recursive: true }));
  const apps = [app, quietApp].map(
    ({ appId, key, secret }) =>
      `[[apps]]\nid = "${appId}"\nkey = "${key}"\nsecret = "${secret}"\nclient_events = true\n` +
      `[[apps.webhooks]]\nurl = "${url}"\n`,
  );
  const config = join(folder, 'shardcast.toml');
  await writeFile(config, `${settings}\n${apps.join('')}`);
  // Settings of whoever runs the tests are not the settings under test.
  const own = ([name]) => !/^(SOKETI|SHARDCAST)_/.test(name);
  const env = Object.fromEntries(Object.entries(process.env).filter(own));
  const flags = ['start', '--port', '0', '--shards', String(shards), '--config', config];
  const child = spawn(fromEnvironment('SHARDCAST_TEST_SERVER'), flags, { env });
  const ended = new Promise((resolve) => child.once('close', resolve));
  t.after(() => {
    child.kill('SIGKILL');
    return ended;
  });
  let output = '';
  const listening = new Promise((resolve) => {
    const read = (chunk) => {
      output += chunk;
      const found = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(output);
      if (found) resolve(Number(found[1]));
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
  });
  const wsPort = await within(listening, () => `an address of the server: ${output}`);
  const stop = async () => {
    child.kill('SIGTERM');
    assert.equal(await within(ended, () => `the end of the server: ${output}`), 0);
  };
  return { wsPort, stop };
}

/** The app that signed a request, which both verifiers must say is sound; and its body. */
async function verified(requests) {
  const named = requests.map((request) => {
    const sender = [app, quietApp].find(({ key }) => key === request.headers['x-pusher-key']);
    const webhook = backend(sender).webhook(request);
    assert.equal(webhook.isValid(), true, request.rawBody);
    const other = sender === app ? quietApp : app;
    assert.equal(backend(other).webhook(request).isValid(), false);
    const body = { time_ms: webhook.getTime().getTime(), events: webhook.getEvents() };
    return { sender, body, request };
  });
  const asked = named.map(({ sender, request }) => ({
    app_id: sender.appId,
    own_key: sender.key,
    secret: sender.secret,
    key: request.headers['x-pusher-key'],
    signature: request.headers['x-pusher-signature'],
    body: request.rawBody,
  }));
  const forged = { ...asked[0], body: `${asked[0].body} ` };
  const command = ['-B', verifier, JSON.stringify([...asked, forged])];
  const python = fromEnvironment('SHARDCAST_TEST_PYTHON');
  const { stdout } = await promisify(execFile)(python, command, { timeout: 20_000 });
  const lines = stdout.trim().split('\n').map(JSON.parse);
  assert.deepEqual(lines.pop(), null, 'a forged body is refused');
  assert.deepEqual(
    lines,
    named.map(({ body }) => body),
  );
  return named;
}

const taken = ({ status }) => status === 200;

/** Events, each with the time of its body. */
const eventsOf = (bodies) =>
  bodies.flatMap(({ body }) => body.events.map((event) => ({ ...event, at: body.time_ms })));

test('after some 500s each event arrives once, with its first time (K3, K4)', async (t) => {
  const { requests, url } = await receiver(t, (number) => (number < 6 ? 500 : 200));
  const { wsPort } = await toldBy(t, url, 'webhook_retry_ms = 50');
  const client = await open(t, { wsPort, member: { user_id: 'ada' } });
  const sender = await open(t, { wsPort, member: { user_id: 'max' } });
  for (const each of [client, sender]) await each.subscribe('presence-room');
  const channel = await client.subscribe('private-talk');
  await sender.subscribe('private-talk');
  channel.trigger('client-wave', { to: 'ü' });
  await sender.events('private-talk', 1);
  sender.pusher.unsubscribe('presence-room');

  const wanted = [
    ['channel_occupied', 'presence-room', undefined],
    ['member_added', 'presence-room', 'ada'],
    ['member_added', 'presence-room', 'max'],
    ['member_removed', 'presence-room', 'max'],
    ['channel_occupied', 'private-talk', undefined],
    ['client_event', 'private-talk', undefined],
  ];
  const got = await requests.reach(wanted.length, taken, 'every event');
  const events = eventsOf(await verified(got));
  const of = (name) =>
    events
      .filter((event) => event.channel === name)
      .map((event) => [event.name, event.channel, event.user_id]);
  assert.deepEqual([...of('presence-room'), ...of('private-talk')], wanted);
  const wave = events.find(({ name }) => name === 'client_event');
  assert.deepEqual(JSON.parse(wave.data), { to: 'ü' });
  assert.equal(wave.socket_id, client.socketId);

  const failed = requests.all.filter(({ status }) => status === 500);
  assert.equal(failed.length, 6);
  const good = requests.all.filter(taken).map(({ rawBody }) => rawBody);
  for (const { rawBody } of failed) {
    assert.equal(good.filter((body) => body === rawBody).length, 1, 'the same bytes, once');
  }
});

test('two apps never share a body (K6)', async (t) => {
  const { requests, url } = await receiver(t);
  const batching = 'webhook_batching = true\nwebhook_batch_ms = 500';
  const { wsPort } = await toldBy(t, url, batching);
  const clients = [];
  for (const credentials of [app, quietApp]) {
    clients.push(await open(t, { wsPort, credentials, key: credentials.key }));
  }
  const count = 20;
  for (let number = 0; number < count; number += 1) {
    for (const client of clients) await client.subscribe(`of-${client.credentials.appId}-${number}`);
  }
  const all = () => requests.all.flatMap(({ rawBody }) => JSON.parse(rawBody).events);
  await requests.first(() => all().length >= 2 * count, `${2 * count} events`);
  const bodies = await verified(requests.all);
  for (const { sender, body } of bodies) {
    for (const { channel } of body.events) {
      assert.equal(channel.startsWith(`of-${sender.appId}-`), true, `${channel} in another's body`);
    }
  }
  assert.equal(eventsOf(bodies).length, 2 * count);
  assert.equal(bodies.length < 2 * count, true, 'something was batched');
});

test('a page that is reloaded within 3 s is not told of (K5)', async (t) => {
  const { requests, url } = await receiver(t);
  const { wsPort, stop } = await toldBy(t, url);
  const page = () => open(t, { wsPort, member: { user_id: 'ada' } });
  let client = await page();
  for (let reload = 0; reload < 3; reload += 1) {
    await client.subscribe('presence-room');
    client.close();
    client = await page();
  }
  await client.subscribe('presence-room');
  client.close();
  await stop(); // whoever is gone by now stays gone
  const events = eventsOf(await verified(requests.all)).map(({ name }) => name);
  assert.deepEqual(events, ['channel_occupied', 'member_added', 'member_removed', 'channel_vacated']);
});
