// A pusher-js client with no option but where the server is, as somebody's first one.

import PusherClient from 'pusher-js';
import { host, port } from './target.js';

/** `sdk` signs its subscriptions; without one it may join public channels only. */
export function stockClient(t, { key, sdk }) {
  const client = new PusherClient(key, {
    cluster: '',
    wsHost: host,
    wsPort: port,
    forceTLS: false,
    enabledTransports: ['ws'],
    ...(sdk && {
      channelAuthorization: {
        customHandler: ({ socketId, channelName }, done) =>
          done(null, sdk.authorizeChannel(socketId, channelName)),
      },
    }),
  });
  t.after(() => client.disconnect());
  return client;
}
