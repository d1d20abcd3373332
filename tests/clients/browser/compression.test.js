// A browser offers permessage-deflate with each WebSocket; a page cannot ask for it or refuse it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backend } from '../support/backend.js';
import { Page, launch, site } from '../support/browser.js';
import { startServer } from '../support/server.js';
import { app, unique } from '../support/target.js';

const [browser, origin] = await Promise.all([launch(), site()]);
const verse = Array.from({ length: 300 }, (_, n) => `line ${n} of a verse`).join('; ');

/** The extensions that a page's own WebSocket agreed on. */
const extensions = ({ port, key }) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${location.hostname}:${port}/app/${key}?protocol=7`);
    socket.onerror = () => reject(new Error('no connection'));
    socket.onmessage = () => {
      resolve(socket.extensions);
      socket.close();
    };
  });

for (const [args, agreed] of [
  [['--websocket-compression'], /^permessage-deflate/],
  [[], /^$/],
]) {
  test(`a page connects and hears events, server started with [${args}]`, async (t) => {
    const { port } = await startServer(t, 0, args);
    const page = await Page.open(t, browser, `${origin}/page?pusher.js&page.js`, 'a page');
    assert.match(await page.run(extensions, { port, key: app.key }), agreed);

    const channel = unique('news');
    await page.run((options) => window.connect(options), { port, key: app.key });
    await page.run((options) => window.join(options), { name: channel, events: ['verse'] });
    await backend({ port: String(port) }).trigger(channel, 'verse', { verse });
    assert.deepEqual(await page.told('verse'), { verse });
    assert.deepEqual(page.all('error'), []);
  });
}
