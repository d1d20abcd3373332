// A pusher-js client as an application uses it, with a journal of every frame it received.
//
// The journal hangs on the connection's `message` event, which pusher-js raises for each frame before it
// interprets it: a doubled member_removed, which pusher-js swallows, is seen here.

import Pusher from 'pusher-js';
import { Journal, next, within } from './deadline.js';
import { authorise, backend } from './backend.js';
import { app, host, port, shardOf, shards, tlsPort } from './target.js';

const TRIES_FOR_A_SHARD = 200;

// The sockets of pusher-js's Node build start a timer of 30 s at each close, even when they are closed
// already; a test file would wait for it. Such a second close does nothing else, and is left out.
const createWebSocket = Pusher.Runtime.createWebSocket.bind(Pusher.Runtime);
Pusher.Runtime.createWebSocket = (url) => {
  const socket = createWebSocket(url);
  const close = socket.close.bind(socket);
  socket.close = (...reason) => {
    if (socket.readyState !== 3) close(...reason);
  };
  return socket;
};

export const clientOptions = {
  cluster: '',
  wsHost: host,
  wsPort: port,
  ...(tlsPort
    ? { wssPort: tlsPort, forceTLS: true }
    : { forceTLS: false }),
  // With forceTLS this transport speaks TLS; `wss` is what is tried beside one in clear.
  enabledTransports: ['ws'],
};

export class Client {
  /**
   * `credentials` sign subscriptions; `member` is who this client is in presence channels, `user` who
   * signs in.
   */
  constructor({ key, credentials = app, member, user, authorisation, ...options } = {}) {
    this.credentials = credentials;
    this.member = member;
    this.user = user;
    this.pusher = new Pusher(key ?? credentials.key, {
      ...clientOptions,
      channelAuthorization: {
        customHandler: (request, done) => done(null, (authorisation ?? this.#sign)(request)),
      },
      userAuthentication: {
        customHandler: ({ socketId }, done) =>
          done(null, backend(credentials).authenticateUser(socketId, this.user)),
      },
      ...options,
    });
    const title = member ? `client of ${member.user_id}` : 'client';
    this.frames = new Journal(`${title}: frames`);
    this.errors = new Journal(`${title}: errors`);
    // The first state, `connecting`, is entered before anything can be bound to it.
    this.states = new Journal(`${title}: states`);
    // A copy: pusher-js keeps parts of the frame and changes them, such as the member list.
    this.pusher.connection.bind('message', (frame) => this.frames.add(structuredClone(frame)));
    this.pusher.connection.bind('error', this.errors.add);
    this.pusher.connection.bind('state_change', ({ current }) => this.states.add(current));
  }

  #sign = (request) => authorise(request, this);

  get socketId() {
    return this.pusher.connection.socket_id;
  }

  get shard() {
    return shardOf(this.socketId);
  }

  get state() {
    return this.pusher.connection.state;
  }

  async connected() {
    if (this.state !== 'connected') await next(this.pusher.connection, 'connected');
    return this;
  }

  /** Signs in and resolves with what pusher-js then knows of its user. */
  async signIn() {
    this.pusher.signin();
    await within(this.pusher.user.signinDonePromise, 'the end of the sign-in');
    return this.pusher.user.user_data;
  }

  /** Subscribes and resolves with the channel once the server confirmed it. */
  async subscribe(name) {
    const channel = this.pusher.subscribe(name);
    const outcome = new Promise((resolve, reject) => {
      channel.bind('pusher:subscription_succeeded', resolve);
      channel.bind('pusher:subscription_error', (error) =>
        reject(new Error(`subscription to ${name} refused: ${JSON.stringify(error)}`)),
      );
    });
    await within(outcome, `subscription to ${name}`);
    return channel;
  }

  /** Subscribes and resolves with the error the channel's handler is given; success is a failure. */
  refused(name) {
    const channel = this.pusher.subscribe(name);
    const outcome = new Promise((resolve, reject) => {
      channel.bind('pusher:subscription_error', resolve);
      channel.bind('pusher:subscription_succeeded', () =>
        reject(new Error(`subscription to ${name} was accepted`)),
      );
    });
    return within(outcome, `refusal of ${name}`);
  }

  /** Sends a frame that pusher-js would not build by itself. */
  sendText(text) {
    if (!this.pusher.connection.send(text)) throw new Error('the client is not connected');
  }

  /** The first frame, past or future, with this channel and event name. */
  frame(channel, event) {
    return this.frames.first(
      (frame) => frame.channel === channel && frame.event === event,
      `${event} on ${channel}`,
    );
  }

  /** As soon as there are `count` application events on the channel: all of them. */
  events(channel, count) {
    return this.frames.reach(count, isEventOn(channel), `${count} events on ${channel}`);
  }

  /** Names of the application events received on the channel so far. */
  eventNames(channel) {
    return this.frames.all.filter(isEventOn(channel)).map(({ event }) => event);
  }

  /** User ids of the member_added (or member_removed) frames received on the channel so far. */
  membersChanged(channel, change) {
    return this.frames.all
      .filter((frame) => frame.channel === channel && frame.event === `pusher_internal:${change}`)
      .map(({ data }) => data.user_id);
  }

  /** The first member_added (or member_removed) frame for the user. */
  memberChange(channel, change, userId) {
    return this.frames.first(
      (frame) =>
        frame.channel === channel &&
        frame.event === `pusher_internal:${change}` &&
        frame.data.user_id === userId,
      `${change} of ${userId} on ${channel}`,
    );
  }

  /**
   * Waits until the server has handled everything this client sent so far: frames of one connection are
   * handled in order, and a subscription is the request that is always answered.
   */
  async settled() {
    settlements += 1;
    const name = `settled-${process.pid}-${settlements}`;
    await this.subscribe(name);
    this.pusher.unsubscribe(name);
  }

  close() {
    this.pusher.disconnect();
  }
}

let settlements = 0;

function isEventOn(channel) {
  return (frame) => frame.channel === channel && !/^pusher(_internal)?:/.test(frame.event);
}

/** A connected client that is closed when the test ends. */
export async function open(t, options) {
  const client = new Client(options);
  t.after(() => client.close());
  return client.connected();
}

/** A connected client on the given shard. The kernel spreads connections, so this takes some tries. */
export async function openOn(t, shard, options) {
  for (let tries = 0; tries < TRIES_FOR_A_SHARD; tries += 1) {
    const client = await new Client(options).connected();
    if (client.shard === shard) {
      t.after(() => client.close());
      return client;
    }
    client.close();
  }
  throw new Error(`no connection in ${TRIES_FOR_A_SHARD} landed on shard ${shard}`);
}

/** One connected client on each shard, in shard order. */
export async function openOnEach(t, optionsFor = () => ({})) {
  const clients = [];
  for (let shard = 0; shard < shards; shard += 1) {
    clients.push(await openOn(t, shard, optionsFor(shard)));
  }
  return clients;
}
