// A process of its own that joins a presence channel, says so, and stays until it is killed.
//
// Arguments: channel, user id. The test kills it to show what a crashed or closed client leaves behind.

import { Client } from './client.js';

const [channel, userId] = process.argv.slice(2);
const client = await new Client({ member: { user_id: userId } }).connected();
await client.subscribe(channel);
process.stdout.write(`joined on shard ${client.shard}\n`);
