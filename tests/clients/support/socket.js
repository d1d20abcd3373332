// A plain WebSocket (npm `ws`) whose messages and end can be awaited, each with a deadline.

import { WebSocket } from 'ws';
import { within } from './deadline.js';
import { host, port } from './target.js';

/** One open WebSocket. Messages are kept in the order they came in. */
export class Socket {
  /** Connects; fails when the handshake is refused. `t` closes it at the end of the test. */
  static async open(t, path, options = {}) {
    const socket = new Socket(path, options);
    await within(socket.opened, `${path} opens`);
    t.after(() => socket.raw.terminate());
    return socket;
  }

  /** Connects and resolves with status and text of the refusal; fails when it is let in. */
  static async refused(path, options = {}) {
    const raw = new WebSocket(`ws://${host}:${port}${path}`, options);
    const answer = new Promise((resolve, reject) => {
      raw.on('open', () => reject(new Error(`${path} was let in`)));
      raw.on('error', () => {});
      raw.on('unexpected-response', async (request, response) => {
        const chunks = await response.toArray();
        resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() });
      });
    });
    return within(answer, `${path} is refused`);
  }

  constructor(path, options) {
    this.raw = new WebSocket(`ws://${host}:${port}${path}`, options);
    this.messages = [];
    this.waiting = [];
    this.raw.on('message', (data, isBinary) => {
      const message = isBinary ? data : data.toString();
      const first = this.waiting.shift();
      if (first) first(message);
      else this.messages.push(message);
    });
    this.opened = new Promise((resolve, reject) => {
      this.raw.on('open', resolve);
      this.raw.on('error', reject);
    });
    this.ended = new Promise((resolve) => {
      this.raw.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  send(message) {
    this.raw.send(message);
  }

  /** The next message: a string, or a Buffer when it was binary. */
  async next(what = 'the next message') {
    if (this.messages.length > 0) return this.messages.shift();
    return within(new Promise((resolve) => this.waiting.push(resolve)), what);
  }

  /** The next message as JSON. */
  async nextJson(what) {
    return JSON.parse(await this.next(what));
  }

  /** Closes, and resolves with the code and reason that came back. */
  async close(code = 1000) {
    this.raw.close(code);
    return this.closed();
  }

  /** The end: code and reason. */
  async closed() {
    return within(this.ended, 'the end of the connection');
  }
}
