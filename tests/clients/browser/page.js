// What the test pages run: an application's own code on the web builds. `tell` reaches the test.

/* global Pusher, Echo, nacl, tell */

const transport = (port) => ({
  cluster: '',
  wsHost: location.hostname,
  wsPort: port,
  forceTLS: false,
  enabledTransports: ['ws'],
});

function socketIdOf(pusher) {
  return new Promise((resolve) => {
    pusher.connection.bind('connected', () => resolve(pusher.connection.socket_id));
  });
}

/** Connects as the user, in place of a connection that is there already; resolves with the socket id. */
window.connect = ({ key, port, user, withNacl }) => {
  window.pusher?.disconnect();
  window.pusher = new Pusher(key, {
    ...transport(port),
    channelAuthorization: { endpoint: '/auth', transport: 'ajax', params: { user } },
    userAuthentication: { endpoint: '/user-auth', transport: 'ajax', params: { user } },
    ...(withNacl ? { nacl } : {}),
  });
  window.pusher.connection.bind('error', (error) => tell('error', error.error ?? error));
  return socketIdOf(window.pusher);
};

/** The same with Echo, which makes its pusher-js client itself. */
window.connectEcho = ({ key, port, user }) => {
  window.echo?.disconnect();
  window.echo = new Echo.default({
    broadcaster: 'reverb',
    key,
    ...transport(port),
    authEndpoint: '/auth',
    auth: { params: { user }, headers: {} },
  });
  return socketIdOf(window.echo.connector.pusher);
};

/** Joins and tells of members and of the events with these names. */
window.join = ({ name, events = [] }) => {
  const channel = window.pusher.subscribe(name);
  const told = (what) => (value) => tell(what, value);
  channel.bind('pusher:subscription_error', told('refused'));
  channel.bind('pusher:member_added', told('added'));
  channel.bind('pusher:member_removed', told('removed'));
  for (const event of events) {
    channel.bind(event, (data, metadata) => tell(event, metadata?.user_id ? { data, ...metadata } : data));
  }
  return new Promise((resolve) => {
    channel.bind('pusher:subscription_succeeded', (members) => {
      resolve(members.me ? { me: members.me, count: members.count, all: members.members } : {});
    });
  });
};

/** Signs in, tells of the user's events with that name, and resolves when its channel is joined. */
window.signIn = ({ event }) => {
  const { user, connection } = window.pusher;
  user.bind(event, (data) => tell(event, data));
  const joined = new Promise((resolve) => {
    connection.bind('message', ({ event: name, channel }) => {
      const own = channel?.startsWith('#server-to-user-');
      if (own && name === 'pusher_internal:subscription_succeeded') resolve(user.user_data);
    });
  });
  user.signin();
  return joined;
};

/** Enters a room with Echo and tells who is here, who comes and goes, and what is whispered. */
window.enter = ({ name, whisper }) => {
  window.echo
    .join(name)
    .here((users) => tell('here', users))
    .joining((user) => tell('joining', user))
    .leaving((user) => tell('leaving', user))
    .listenForWhisper(whisper, (data) => tell('whisper', data));
};
