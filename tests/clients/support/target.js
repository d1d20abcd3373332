// The server under test: its address and the applications it was started with.
//
// The harness (tests/clients.rs) starts the binary and hands the port over in the environment. To run
// one file by hand, start a server with tests/clients/apps.toml and set SHARDCAST_TEST_PORT.

function fromEnvironment(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run these tests with \`cargo test --test clients\``);
  }
  return value;
}

export const host = '127.0.0.1';
export const port = Number(fromEnvironment('SHARDCAST_TEST_PORT'));
/** The port that TLS is spoken on, when the scripts are to speak it; Node was told whom to trust. */
export const tlsPort = Number(process.env.SHARDCAST_TEST_TLS_PORT ?? '0');
export const shards = Number(process.env.SHARDCAST_TEST_SHARDS ?? '2');

/** Client events on. The master key never reaches the server: backends encrypt with it (E2). */
export const app = {
  appId: '4242',
  key: 'orders-key',
  secret: 'orders-secret',
  encryptionMasterKeyBase64: 'c2hhcmRjYXN0IGtub3dzIG5vdGhpbmcgb2YgdGhpcyE=',
};

/** The application of a server that was started without any. */
export const demoApp = { appId: '1001', key: 'app-key', secret: 'app-secret' };

/** Client events off, and a secret outside ASCII: the signing key is its UTF-8 bytes. */
export const quietApp = { appId: '2002', key: 'quiet-key', secret: 'quiet-secret-ü' };

/** The shard a connection lives on: socket ids begin with `random * 1024 + shard`. */
export function shardOf(socketId) {
  const first = Number(socketId.split('.')[0]);
  if (!Number.isSafeInteger(first)) {
    throw new Error(`the first number of socket id ${socketId} is not an exact integer`);
  }
  return first % 1024;
}

/** Watchlists and subscription counts on. */
export const socialApp = { appId: '3003', key: 'social-key', secret: 'social-secret' };

let names = 0;

/** A channel name nobody else uses, with the wanted prefix. */
export function unique(prefix) {
  names += 1;
  return `${prefix}-${process.pid}-${names}`;
}
