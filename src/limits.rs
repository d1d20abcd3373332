//! Every hard bound that is not an option, with its reason, and the relations between bounds.
//!
//! Bounds that a user may set live in the options of the module that enforces them; what
//! stands here can only be changed by changing the code.

pub mod window;

/// Shards in one process. Ids carry the shard in ten bits, but the mesh has a ring for every
/// ordered pair of shards, and its memory grows with their square.
pub const SHARDS_MAX: usize = 256;

/// Nesting of JSON that a client may send. Pusher frames need 3; the rest is attack.
pub const JSON_DEPTH_WIRE: usize = 32;

/// Nesting of JSON in a request body. A published event needs 3, `data` objects may be deeper.
pub const JSON_DEPTH_REST: usize = 64;

/// Payload of a control frame (RFC 6455, section 5.5).
pub const CONTROL_PAYLOAD_MAX: usize = 125;

/// Text of a close frame: the control payload less the two bytes of the code.
pub const CLOSE_REASON_MAX: usize = CONTROL_PAYLOAD_MAX - 2;

/// Fragments that any message may come in. Most clients send one; a million empty ones are an
/// attack.
pub const FRAGMENTS_MAX: usize = 64;

/// Each so many bytes of a message allow it one fragment more: whoever sends a large message in
/// small pieces costs no more than who sends as many small messages.
pub const FRAGMENT_BYTES: usize = 64;

/// Characters of an unknown event's name that its sender is told.
pub const EVENT_NAME_SHOWN: usize = 200;

/// Characters of a user id, signed in or in a presence channel. A user's own channel has to have
/// a legal name.
pub const USER_ID_MAX: usize = 128;

/// Users that one connection may watch (U12).
pub const WATCHLIST_MAX: usize = 100;

/// Refused subscriptions, sign-ins and client events of one connection in a second; past them it
/// is closed with 1008. A page may ask for all of its channels at once, with a key that is out of
/// date.
pub const REFUSALS_PER_SECOND: u32 = 100;

/// Frames without sense from one connection in a second; past them it is closed with 1008. No
/// client library sends any, and each has an answer that is longer than itself.
pub const ERROR_ANSWERS_PER_SECOND: u32 = 10;

/// Requests of one app's backends that one shard answers in a second with why it does not believe
/// them; past them it only says that there are too many.
pub const FAILED_SIGNATURES_PER_SECOND: u32 = 100;

/// Signatures that a shard remembers, to know a request that comes again.
pub const SIGNATURES_KEPT: usize = 1 << 20;

/// How much longer than it is good a signature is remembered, in seconds: what two shards asked of
/// it in the same second may arrive some time apart.
pub const SIGNATURES_KEPT_LONGER_S: u64 = 10;

/// Bytes joined into one write. Past this the copy costs more than a second system call.
pub const WRITE_JOIN_MAX: usize = 64 * 1024;

/// Bytes of a request's body that are read and dropped when its handler has answered without them;
/// with more to come, closing the connection is cheaper.
pub const UNREAD_BODY_MAX: u64 = 64 * 1024;

/// Bytes that the client of a streamed body has to send in each second that is waited for it, on
/// the whole and beyond the time that a whole body has. A modem sends more; a byte now and then is
/// an attack.
pub const STREAMED_BODY_RATE_MIN: u64 = 500;

/// Bytes of a file that are read at once, while it is sent.
pub const FILE_CHUNK: usize = 64 * 1024;

/// Bytes that are encrypted for a connection before its socket has taken them. What its peer does
/// not read waits in the outbox, which is bounded and counted.
pub const TLS_AHEAD_MAX: usize = 32 * 1024;

/// Certificates of one server, each for names of its own.
pub const TLS_PAIRS_MAX: usize = 64;

/// Bytes of a file with certificates or a key: a chain has a few thousand.
pub const TLS_FILE_MAX: u64 = 1 << 20;

/// Size of a pooled read buffer: what one read takes from a socket at most.
pub const READ_CHUNK: usize = 16 * 1024;

/// Largest limit on a request's head: an unfinished one has to fit into a read buffer.
pub const HEAD_BYTES_MAX: usize = READ_CHUNK - 1;

/// Read buffers a shard keeps for reuse.
pub const READ_BUFFERS_KEPT: usize = 64;

/// Frames to one client that a shard keeps the buffers of for reuse: a busy turn's answers.
pub const FRAME_BUFFERS_KEPT: usize = 1024;

/// Size of the largest of them; what is larger is let go when it has left.
pub const FRAME_BUFFER_MAX: usize = 64 * 1024;

/// Bytes of all of them.
pub const FRAME_BYTES_KEPT: usize = 1 << 20;

/// Bytes of notices for webhooks that wait on a shard while the control thread is busy. Past them
/// new ones are dropped: a shard waits for nobody.
pub const NOTICE_BATCH_BYTES: usize = 1 << 20;

/// Batches of notices on their way from all shards to the control thread.
pub const NOTICE_BATCHES: usize = 64;

/// Calls of server handles that wait for one shard; past them the caller is told.
pub const CALLS_MAX: usize = 1024;

/// Bytes of messages in the calls that wait for one shard; past them the caller is told.
pub const CALL_BYTES_MAX: usize = 16 << 20;

/// Futures and closures that one shard has left to the tokio runtime and that are not over.
pub const SHARD_WORK_MAX: usize = 4096;

/// Threads for closures that block. More would only take turns on the same cores.
pub const BLOCKING_THREADS_MAX: usize = 64;

/// Requests of the admin port that are answered at a time; more wait. Whether the server lives and
/// wants traffic is answered beside them.
pub const ADMIN_CONNECTIONS_MAX: usize = 16;

/// Connections of the admin port that have asked for nothing yet, wait for a place to be answered,
/// or have had their answer; past them the oldest ends.
pub const ADMIN_SILENT_MAX: usize = 32;

/// Of these, the ones of one address.
pub const ADMIN_SILENT_PER_ADDRESS: usize = 16;

/// Milliseconds that a connection of the admin port gets to say what it asks for, and to end when
/// it was answered.
pub const ADMIN_HEAD_MS: u64 = 1_000;

/// Milliseconds from there to its answer.
pub const ADMIN_TIMEOUT_MS: u64 = 5_000;

/// Milliseconds that shards get to say what they have counted.
pub const MEASURE_TIMEOUT_MS: u64 = 1_000;

/// Clients that are given up whose subscriptions end in one turn; the rest wait for the next.
pub const GIVEN_UP_PER_TURN: usize = 64;

/// Lines that one place in the code logs in a second on one thread, unless they were asked for by
/// `debug`; the rest is counted.
pub const LOG_LINES_PER_SECOND: u32 = 200;

/// Bytes of lines that wait to be written to the log; past them lines are dropped and counted: who
/// logs does not wait for who reads.
pub const LOG_QUEUE_BYTES: usize = 2 << 20;

/// Lines of them, however short.
pub const LOG_QUEUE_LINES: usize = 1 << 14;

/// Milliseconds that the end of the program waits for the last lines to be written.
pub const LOG_END_MS: u64 = 1_000;

/// Bytes of a request's body on the admin port.
pub const ADMIN_BODY_MAX: u64 = 256 * 1024;

/// Pages of the dashboard that are kept up to date at a time; more hear 503.
pub const DASHBOARD_PAGES_MAX: usize = 16;

/// Apps whose last hour is kept for the dashboard; the curves of others begin when they are shown.
pub const HISTORY_APPS_MAX: usize = 100;

/// Seconds that are kept of each.
pub const HISTORY_SECONDS: usize = 3_600;

/// Wrong tokens that an address may show the admin port in a minute, at the login of the dashboard
/// or in requests; past them 429. The right one is taken all the same.
pub const LOGIN_FAILURES_PER_MINUTE: u32 = 10;

/// Seconds for which a login at the dashboard holds.
pub const LOGIN_S: u64 = 12 * 3_600;

/// Channels of an app that are looked at for one list of the dashboard; past them it says that
/// there may be more.
pub const CHANNELS_LOOKED_AT: usize = 20_000;

/// Of these, the ones that are shown.
pub const CHANNELS_SHOWN: usize = 200;

/// Subscribers of a channel that the dashboard names, and members.
pub const SUBSCRIBERS_SHOWN: usize = 200;

/// Things of one kind that a shard notes down in a second for who watches an app.
pub const TAP_ROWS_PER_SECOND: u32 = 10;

/// Things that a shard notes down of an app until they are fetched.
pub const TAP_ROWS_MAX: usize = 256;

/// Bytes that are shown of what was said.
pub const TAP_TEXT_BYTES: usize = 1_000;

/// Bytes that `--debug` shows of what a frame carries.
pub const DEBUG_DATA_BYTES: usize = 4_096;

/// Milliseconds after which a shard notes nothing down any more for who has not asked again.
pub const TAP_LEASE_MS: u64 = 3_000;

/// Milliseconds between two times that shards are asked what has happened.
pub const TAP_PAUSE_MS: u64 = 250;

/// Milliseconds between two looks at the memory in use.
pub const MEMORY_LOOK_MS: u64 = 250;

/// Bytes that have to wait for a client before it is closed for want of memory: of others there
/// would be little to gain.
pub const FAT_BYTES: usize = 16 * 1024;

/// Bytes of a message or body that is under way from which they count as held, against its time and
/// against the memory.
pub const HELD_BYTES_MIN: usize = 1024;

/// Connections of a shard that are told at a time that they are not let in; for one more, the one
/// that was told first has to go.
pub const TURNED_AWAY_MAX: usize = 8;

/// Bytes that are read of one of them, so that what it was told arrives.
pub const TURN_AWAY_BYTES: usize = 64 * 1024;

/// Milliseconds that one of them gets to hear so.
pub const TURN_AWAY_MS: u64 = 1_000;

/// Seconds after which who is not let in may ask again.
pub const RETRY_AFTER_S: u64 = 5;

/// Connections of a shard that wait to hear whether their address may have one more.
pub const ASKING_MAX: usize = 1024;

/// Clients or addresses of a shard whose pings, or wrong signatures, are counted at a time; past
/// them all are forgotten and counted anew.
pub const COUNTED_MAX: usize = 1 << 16;

/// Shared tables of one server.
pub const TABLES_MAX: usize = 64;

/// Rows of a shared table over all shards, unless it is given another limit.
pub const TABLE_ROWS: usize = 1 << 20;

/// Apps that a server serves in its life, those that a reload has ended included: a shard keeps
/// some hundred bytes of each.
pub const APP_SLOTS_MAX: u32 = 1 << 20;

/// Endpoints of webhooks that a reload has replaced and that still send what waited for them; past
/// them the longest replaced is given up.
pub const RETIRED_ENDPOINTS_MAX: usize = 64;

/// Rows of a shared table that are copied at once for who wants them all.
pub const TABLE_PIECE: usize = 256;

const _: () = assert!(CLOSE_REASON_MAX == 123);
const _: () = assert!(REFUSALS_PER_SECOND.is_multiple_of(ERROR_ANSWERS_PER_SECOND));
const _: () = assert!(JSON_DEPTH_WIRE < JSON_DEPTH_REST);
const _: () = assert!(SHARDS_MAX <= 1 << 10);
const _: () = assert!(HEAD_BYTES_MAX < READ_CHUNK);
const _: () = assert!(READ_CHUNK <= WRITE_JOIN_MAX);
const _: () = assert!(MEASURE_TIMEOUT_MS < ADMIN_TIMEOUT_MS);
const _: () = assert!(ADMIN_SILENT_PER_ADDRESS < ADMIN_SILENT_MAX);
const _: () = assert!(FRAME_BYTES_KEPT.is_multiple_of(FRAME_BUFFER_MAX));
const _: () = assert!(2 * (TAP_PAUSE_MS + MEASURE_TIMEOUT_MS) < TAP_LEASE_MS);
