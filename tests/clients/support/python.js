// PyPI `pusher` as another backend of the same application, so that pusher-js meets what it sends.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { app } from './target.js';

const script = fileURLToPath(new URL('../python/call.py', import.meta.url));

/** Calls a method of the Python SDK in a process of its own and resolves with its result. */
export function python(method, ...args) {
  return pythonAs(app, method, ...args);
}

/** The same with the credentials of another application. */
export async function pythonAs(credentials, method, ...args) {
  const interpreter = process.env.SHARDCAST_TEST_PYTHON;
  if (!interpreter) throw new Error('SHARDCAST_TEST_PYTHON is not set: run the tests with cargo');
  const named = {
    app_id: credentials.appId,
    key: credentials.key,
    secret: credentials.secret,
    encryption_master_key_base64: credentials.encryptionMasterKeyBase64 ?? null,
  };
  const command = ['-B', script, JSON.stringify(named), method, JSON.stringify(args)];
  const { stdout } = await promisify(execFile)(interpreter, command, { timeout: 20_000 });
  return JSON.parse(stdout);
}
