// Headless Chromium with pages that run the published web builds, served from here like a customer's site.
//
// A page is told what to do by the functions of browser/page.js, and tells what happens to it with
// `tell(what, value)`; the test waits on that journal. Nothing is loaded from another machine: such a
// request fails the test.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { answerAuth, authRequest, backend } from './backend.js';
import { Journal } from './deadline.js';
import { app, host, port, shardOf } from './target.js';

const EXECUTABLE = '/usr/bin/chromium';
const DEADLINE_MS = 30_000;
const TRIES_FOR_A_SHARD = 200;

/** What pages may load, by the name they use. */
const scripts = {
  'pusher.js': 'node_modules/pusher-js/dist/web/pusher.js',
  'pusher-with-encryption.js': 'node_modules/pusher-js/dist/web/pusher-with-encryption.js',
  'nacl.js': 'node_modules/tweetnacl/nacl-fast.js',
  'echo.js': 'node_modules/laravel-echo/dist/echo.iife.js',
  'page.js': 'browser/page.js',
};

/** A browser for the tests of one file; tests run as root in CI, where Chromium has no sandbox. */
export async function launch() {
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    timeout: DEADLINE_MS,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  after(() => browser.close());
  return browser;
}

/**
 * The customer's site: `/page?FILE&FILE` loads these scripts; `/auth` and `/user-auth` sign for the
 * form's `user`.
 */
export async function site() {
  const root = new URL('../', import.meta.url);
  const server = createServer(async (request, response) => {
    const { pathname, search } = new URL(request.url, `http://${host}`);
    const file = scripts[pathname.slice(1)];
    if (pathname === '/page') {
      const names = search.slice(1).split('&');
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      const tags = names.map((name) => `<script src="/${name}"></script>`);
      response.end(`<!doctype html><title>page</title><link rel="icon" href="data:,">${tags.join('')}`);
    } else if (pathname === '/auth' && request.method === 'POST') {
      const asked = await authRequest(request);
      answerAuth(response, asked, { user_id: asked.user, user_info: { name: asked.user } });
    } else if (pathname === '/user-auth' && request.method === 'POST') {
      const { socketId, user } = await authRequest(request);
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(backend().authenticateUser(socketId, { id: user })));
    } else if (file) {
      response.setHeader('Content-Type', 'text/javascript; charset=utf-8');
      response.end(await readFile(new URL(file, root)));
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise((resolve) => server.listen(0, host, resolve));
  after(() => new Promise((resolve) => server.close(resolve)));
  return `http://${host}:${server.address().port}`;
}

/** A page of one user in a profile of its own. */
export class Page {
  /** Opens `url` and fails the test at its end if the page threw or reached out. */
  static async open(t, browser, url, title) {
    const context = await browser.newContext();
    context.setDefaultTimeout(DEADLINE_MS);
    const page = new Page();
    page.faults = [];
    page.heard = new Journal(title);
    page.context = context;
    await context.route(
      ({ hostname }) => hostname !== host,
      (route) => {
        page.faults.push(`asked for ${route.request().url()}`);
        return route.abort();
      },
    );
    await context.exposeFunction('tell', (what, value) => page.heard.add({ what, value }));
    page.tab = await context.newPage();
    page.tab.on('pageerror', (error) => page.faults.push(String(error)));
    t.after(async () => {
      await context.close();
      if (page.faults.length) throw new Error(`${title}: ${page.faults.join('; ')}`);
    });
    await page.tab.goto(url);
    return page;
  }

  /** Runs a function in the page with one argument. */
  run(action, argument) {
    return this.tab.evaluate(action, argument);
  }

  /** The value of the first, or the `count`th, thing of that name the page told. */
  async told(what, count = 1) {
    const found = await this.heard.reach(count, (entry) => entry.what === what, what);
    return found[count - 1].value;
  }

  /** Everything of that name so far. */
  all(what) {
    return this.heard.all.filter((entry) => entry.what === what).map(({ value }) => value);
  }

  close() {
    return this.context.close();
  }
}

/** What the pages' clients connect with. */
export const connection = { key: app.key, port };

/** Runs `connect` in the page, which resolves with the socket id, until it is on the shard. */
export async function connectOn(page, shard, connect, options) {
  for (let tries = 0; tries < TRIES_FOR_A_SHARD; tries += 1) {
    const socketId = await page.run(connect, { ...connection, ...options });
    if (shardOf(socketId) === shard) return socketId;
  }
  throw new Error(`no connection in ${TRIES_FOR_A_SHARD} landed on shard ${shard}`);
}
