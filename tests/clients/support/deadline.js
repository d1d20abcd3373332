// Waiting for something that must happen: by promise, with a deadline that fails the test loudly.
//
// Nothing here waits for time to pass. A test that wants to show that nothing arrived triggers a later
// event on the same channel, awaits that one, and then looks at what came before it.

import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';

const DEADLINE_MS = 20_000;

/** Settles as `promise` does; fails with `what` when the deadline is over first. */
export async function within(promise, what) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const shown = typeof what === 'function' ? what() : what;
      reject(new Error(`not within ${DEADLINE_MS} ms: ${shown}`));
    }, DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** The argument of the next `event` that a pusher-js dispatcher emits. */
export function next(dispatcher, event, what = event) {
  const emitted = new Promise((resolve) => {
    const once = (value) => {
      dispatcher.unbind(event, once);
      resolve(value);
    };
    dispatcher.bind(event, once);
  });
  return within(emitted, `event ${event} (${what})`);
}

/**
 * Reads again and again until the value is `expected`. Only for what the server does without telling:
 * leaving a channel is not confirmed, and other shards learn of it a moment later.
 */
export async function becomes(read, expected) {
  const end = Date.now() + DEADLINE_MS;
  let value = await read();
  while (!isDeepStrictEqual(value, expected) && Date.now() < end) value = await read();
  assert.deepEqual(value, expected);
}

/** A list that is filled by callbacks and can be waited on. */
export class Journal {
  #entries = [];
  #waiting = new Set();

  constructor(title) {
    this.title = title;
  }

  add = (entry) => {
    this.#entries.push(entry);
    for (const wait of this.#waiting) wait();
  };

  get all() {
    return [...this.#entries];
  }

  /** The first entry, past or future, that matches. */
  async first(matches, what) {
    const found = await this.reach(1, matches, what);
    return found[0];
  }

  /** The entries that match, as soon as there are `count` of them. */
  reach(count, matches = () => true, what = `${count} entries`) {
    const found = () => this.#entries.filter(matches);
    let wait;
    const reached = new Promise((resolve) => {
      wait = () => {
        if (found().length >= count) resolve(found());
      };
      this.#waiting.add(wait);
      wait();
    });
    const shown = () =>
      `${this.title}: ${what}; got ${found().length}, all: ${JSON.stringify(this.#entries)}`;
    return within(reached, shown).finally(() => this.#waiting.delete(wait));
  }
}
