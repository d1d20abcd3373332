// A server of the test's own, for scenarios that stop it.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { within } from './deadline.js';
import { shards } from './target.js';

const config = fileURLToPath(new URL('../apps.toml', import.meta.url));

/** Starts the server on the port, or on a free one; it is killed when the test ends. */
export async function startServer(t, port = 0, args = [], variables = {}) {
  const binary = process.env.SHARDCAST_TEST_SERVER;
  if (!binary) throw new Error('SHARDCAST_TEST_SERVER is not set: run the tests with cargo');
  const settings = ['--port', port, '--shards', shards, '--config', config, ...args].map(String);
  // Settings of whoever runs the tests are not the settings under test.
  const foreign = ([name]) => !/^(SOKETI|SHARDCAST)_/.test(name);
  const env = { ...Object.fromEntries(Object.entries(process.env).filter(foreign)), ...variables };
  const stdio = ['ignore', 'pipe', 'pipe'];
  const child = spawn(binary, ['start', ...settings], { env, stdio });
  const ended = new Promise((resolve) => child.once('close', (code) => resolve(code)));
  t.after(() => {
    child.kill('SIGKILL');
    return ended;
  });
  let output = '';
  let toldAdmin;
  const admin = new Promise((resolve) => { toldAdmin = resolve; });
  const listening = new Promise((resolve, reject) => {
    const read = (chunk) => {
      output += chunk;
      const found = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(output);
      if (found) resolve(Number(found[1]));
      const metrics = /http:\/\/127\.0\.0\.1:(\d+)\/metrics/.exec(output);
      if (metrics) toldAdmin(Number(metrics[1]));
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    child.once('close', () => reject(new Error(`the server ended: ${output}`)));
  });
  return {
    port: await within(listening, () => `an address of the server: ${output}`),
    /** The port of metrics and the dashboard. */
    adminPort: within(admin, () => `an admin port of the server: ${output}`).catch((error) => error),
    /** Asks it to end, as an operator does, and resolves with its exit status. */
    stop: () => {
      child.kill('SIGTERM');
      return within(ended, () => `the end of the server: ${output}`);
    },
  };
}
