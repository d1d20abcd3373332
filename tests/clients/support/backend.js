// The customer's side: the official server SDK, and the endpoint that signs subscriptions with it.

import { createServer } from 'node:http';
import Pusher from 'pusher';
import { app, host, port, tlsPort } from './target.js';

/** The SDK, set up as a customer sets it up. `overrides` replaces credentials or adds options. */
export function backend(overrides = {}) {
  const place = tlsPort ? { port: String(tlsPort), useTLS: true } : { port: String(port), useTLS: false };
  return new Pusher({ ...app, host, ...place, ...overrides });
}

/** What an authorisation endpoint answers, signed by the SDK. `member` makes it a presence member. */
export function authorise({ socketId, channelName }, { credentials = app, member } = {}) {
  const data = channelName.startsWith('presence-') ? member : undefined;
  return backend(credentials).authorizeChannel(socketId, channelName, data);
}

/** The status and JSON (or text) of a request that the server answered with 4xx or 5xx. */
export async function refusal(request) {
  try {
    const response = await request;
    throw new Error(`expected a refusal, got ${response.status} ${await response.text()}`);
  } catch (error) {
    if (error.status === undefined) throw error;
    return { status: error.status, body: error.body };
  }
}

/** The parsed body of a successful request, which must be a JSON object with status 200. */
export async function answer(request) {
  const response = await request;
  const type = response.headers.get('content-type');
  if (response.status !== 200 || !/^application\/json\b/.test(type)) {
    throw new Error(`expected 200 with JSON, got ${response.status} with ${type}`);
  }
  return response.json();
}

/**
 * A customer's web application: it answers authorisation requests by form, as pusher-js and Echo send
 * them. `member(request)` is the presence member, or null to refuse with 403.
 */
export async function authEndpoint(t, path, member) {
  const seen = [];
  const server = createServer(async (request, response) => {
    const asked = await authRequest(request);
    seen.push(asked);
    const user = request.method === 'POST' && request.url === path ? member(asked) : null;
    answerAuth(response, asked, user);
  });
  await new Promise((resolve) => server.listen(0, host, resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return { seen, url: `http://${host}:${server.address().port}${path}` };
}

/** What a client asks of its application: one channel for one socket. */
export async function authRequest(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const form = new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
  return {
    path: request.url,
    socketId: form.get('socket_id'),
    channelName: form.get('channel_name'),
    user: form.get('user'),
    authorization: request.headers.authorization,
  };
}

/** Signs for the presence member, or refuses with 403 when there is none. */
export function answerAuth(response, asked, user) {
  response.setHeader('Content-Type', 'application/json');
  response.setHeader('Connection', 'close');
  response.statusCode = user === null ? 403 : 200;
  response.end(JSON.stringify(user === null ? {} : authorise(asked, { member: user })));
}
