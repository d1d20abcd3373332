// The handler's own WebSocket, and the Pusher protocol by hand: both on the port of this page.

const address = (path) => `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}${path}`;
const part = (id) => document.getElementById(id);

const viewers = new WebSocket(address('/viewers'));
viewers.onmessage = ({ data }) => { part('viewers').textContent = data; };

const pusher = new WebSocket(address('/app/app-key?protocol=7&client=page&version=1'));
const subscribe = { event: 'pusher:subscribe', data: { channel: 'news' } };
const heard = {
  'pusher:connection_established': () => pusher.send(JSON.stringify(subscribe)),
  'pusher_internal:subscription_succeeded': () => { part('news').textContent = 'listening'; },
  'pusher:ping': () => pusher.send('{"event":"pusher:pong","data":{}}'),
};
pusher.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  const known = heard[message.event];
  if (known) return known();
  const line = document.createElement('li');
  line.textContent = `${message.event}: ${message.data}`;
  part('events').append(line);
};
