// PyPI `pusher` as another backend of the same application, so that pusher-js meets what it sends.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const script = fileURLToPath(new URL('../python/call.py', import.meta.url));

/** Calls a method of the Python SDK in a process of its own and resolves with its result. */
export async function python(method, ...args) {
  const interpreter = process.env.SHARDCAST_TEST_PYTHON;
  if (!interpreter) throw new Error('SHARDCAST_TEST_PYTHON is not set: run the tests with cargo');
  const command = ['-B', script, method, JSON.stringify(args)];
  const { stdout } = await promisify(execFile)(interpreter, command, { timeout: 20_000 });
  return JSON.parse(stdout);
}
