// The text of each frame as it came to a pusher-js client, before the client touches it.

import Pusher from 'pusher-js';
import { Client } from './client.js';
import { Journal } from './deadline.js';

const create = Pusher.Runtime.createWebSocket;

/** A connected client that is closed when the test ends, and the journal of what it received. */
export async function openRaw(t, options) {
  const texts = new Journal('texts of frames');
  let client;
  try {
    Pusher.Runtime.createWebSocket = (url) => {
      const socket = create.call(Pusher.Runtime, url);
      socket.addEventListener('message', ({ data }) => texts.add(data));
      return socket;
    };
    client = new Client(options);
  } finally {
    Pusher.Runtime.createWebSocket = create;
  }
  t.after(() => client.close());
  await client.connected();
  return { client, texts };
}
