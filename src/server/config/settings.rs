//! The finished configuration: values in range, nothing optional that has a default.
//!
//! Not where they come from. Invariant: a [`Config`] made by `load` has at least one app, ids and
//! keys are unique among its apps, and demo credentials come with a loopback address only.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::app::{App, AppSecret};
use crate::control::CertificateFiles;
use crate::http::proxied::Network;

/// Everything the server needs to know before it starts.
///
/// Durations are in the unit their name ends in, sizes in bytes. [`Config::default`] is what an
/// empty file gives, before the demo app is added.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on. Default 127.0.0.1.
    pub host: IpAddr,
    /// The TCP port to listen on. Default 6001; 0 takes any free one.
    pub port: u16,
    /// Length of each listener's queue of connections not yet accepted. Default 4096.
    pub backlog: u32,
    /// Most connections a shard accepts in one second; the rest wait in the backlog. Default
    /// `None`: no limit.
    pub accept_per_second: Option<u32>,

    /// The certificate, with its chain, that TLS is spoken with, a PEM file. Default `None`: no
    /// TLS. It is read again when it or its key has changed, and at SIGHUP.
    pub tls_cert: Option<PathBuf>,
    /// The private key to it, a PEM file that is not encrypted. Default `None`.
    pub tls_key: Option<PathBuf>,
    /// Further certificates, each for clients that ask for a name in it (SNI); the first one is for
    /// all others. At most 63. Default empty.
    pub tls_certificates: Vec<CertificateFiles>,
    /// The port that TLS is spoken on, while none is on the other; 0 takes any free one. Default
    /// `None`: with a certificate, TLS is all that is spoken.
    pub tls_port: Option<u16>,
    /// Within how many milliseconds TLS must have been agreed on. Default 5000.
    pub tls_handshake_timeout_ms: u64,

    /// How many shards. Default `None`: one per core in use.
    pub shards: Option<usize>,
    /// The cores to use, in the order shards take them. Default empty: every usable core.
    pub cores: Vec<usize>,
    /// How long a shard polls before it sleeps, in microseconds. Default 0: it sleeps at once.
    pub spin_us: u64,
    /// Entries in each io_uring of a shard. Default: as many as are of use, 4096, or as the limit
    /// on locked memory allows.
    pub ring_depth: Option<usize>,
    /// Whether a shard writes to many sockets in one system call, where the kernel can do that.
    /// Default true.
    pub send_ring: bool,
    /// Bytes not yet sent that the kernel takes for one connection before the rest waits in its
    /// outbox (TCP_NOTSENT_LOWAT). Default 16384.
    pub notsent_lowat_bytes: u32,
    /// Bytes of the kernel's buffer for what is sent to one connection (SO_SNDBUF). Default `None`:
    /// it chooses by itself, as the connection needs it.
    pub send_buffer_bytes: Option<usize>,
    /// Same, for what is received (SO_RCVBUF). Default `None`.
    pub receive_buffer_bytes: Option<usize>,
    /// For how many microseconds a shard gathers what is to be written before it writes: several
    /// messages for one connection are then one write. Default 0: it writes as soon as it has done
    /// what is to be done.
    pub flush_delay_us: u64,
    /// Slots in each ring of the mesh, of which there is one per ordered pair of shards. Default
    /// 1024: what does not fit waits at its sender, so more slots buy memory traffic, not safety.
    pub mesh_slots: usize,

    /// Within how many milliseconds a whole request head must have arrived. Default 5000.
    pub head_timeout_ms: u64,
    /// Milliseconds within which a whole request body must have arrived, then 408; the longest
    /// pause in a body that its handler takes while it arrives, which beyond this time has to come
    /// at 500 bytes per second. Default 30000.
    pub body_timeout_ms: u64,
    /// For how many milliseconds an HTTP connection may wait between requests. Default 75000.
    pub keep_alive_ms: u64,
    /// Most bytes in a request head. Default 8192.
    pub head_bytes: usize,
    /// Most bytes in a request body. Default 1048576.
    pub body_bytes: usize,
    /// Most bytes in one WebSocket message; past it the connection is closed with 1009. Default
    /// 65536.
    pub message_bytes: usize,
    /// Most channels one connection may be subscribed to. Default 200.
    pub channels_per_connection: usize,
    /// Most bytes of cached events, over all shards; past it the oldest goes. Default 67108864.
    pub cache_bytes: usize,
    /// For how many milliseconds a channel, a member or a user that is gone may come back before
    /// webhooks and watchlists are told (K5, U11). Default 3000.
    pub flap_ms: u64,
    /// For how many milliseconds a connection may stay without authorisation, where its app wants
    /// one (section 7.4). Default 30000.
    pub sign_in_ms: u64,
    /// How many milliseconds apart the subscribers of a channel of more than a hundred are told
    /// their number at least (section 3.7). Default 5000.
    pub count_interval_ms: u64,
    /// Most bytes waiting to be sent to one connection. Past it a Pusher client is closed with
    /// 4100; a client of a custom handler is left alone by a send to it alone, which says `Full`,
    /// and closed with 1013 by what goes to many. Default 1048576.
    pub outbox_bytes: usize,
    /// For how many milliseconds no byte may move to a peer with a full outbox. Default 10000.
    pub write_stall_ms: u64,
    /// How many milliseconds past its app's activity timeout a silent client is pinged. Default
    /// 30000.
    pub activity_grace_ms: u64,
    /// For how many milliseconds an answer to a ping is awaited. Then a Pusher client is closed
    /// with 4201, and the connection of a custom handler's ends. Default 30000.
    pub pong_wait_ms: u64,

    /// Whether messages are compressed for Pusher clients that offer permessage-deflate (RFC 7692),
    /// in both directions. Handlers say so for themselves. Default `false`.
    pub websocket_compression: bool,
    /// How hard to compress then, from 1 (fastest) to 9 (smallest). Default 1.
    pub websocket_compression_level: u8,
    /// Bytes of the shortest message that is compressed then. Default 256.
    pub websocket_compression_bytes: usize,

    /// What stands in front of `/app/KEY` and `/apps/ID` in every path: empty, or `/` and more
    /// without one at its end. Default empty.
    pub path_prefix: String,
    /// How many seconds a signed request's time stamp may be away from the clock (A10). Default
    /// 600; 0 looks at no clock.
    pub rest_clock_s: u64,
    /// Whether a signed request is served only once, by remembering its signature while its time
    /// stamp is good; that takes a `rest_clock_s` above 0. Default `false`.
    pub rest_replay_guard: bool,
    /// Whether several webhook events of one app may go in one body (K6). Default false.
    pub webhook_batching: bool,
    /// For how many milliseconds events are gathered into one body, where that is wanted. Default
    /// 50.
    pub webhook_batch_ms: u64,
    /// How many milliseconds after a failure a webhook is sent again, doubled each time (K4).
    /// Default 1000.
    pub webhook_retry_ms: u64,
    /// The age in milliseconds at which a webhook is given up (K4). Default 300000.
    pub webhook_give_up_ms: u64,
    /// How many milliseconds one try may take (K4). Default 10000.
    pub webhook_timeout_ms: u64,
    /// Most bytes waiting for one endpoint; past it the oldest events are dropped. Default
    /// 16777216.
    pub webhook_queue_bytes: usize,
    /// Certificate authorities that webhook endpoints may have beside those of the machine, a PEM
    /// file. Default `None`.
    pub webhook_ca_file: Option<PathBuf>,

    /// Over how many milliseconds a stop spreads the closes of clients (W22). Default: one for each
    /// client of a shard, 3000 at most.
    pub drain_spread_ms: Option<u64>,
    /// For how many milliseconds a stop waits for `on_stop` of custom handlers. Default 5000.
    pub stop_wait_ms: u64,
    /// After how many milliseconds a stop is over, whoever is left: the process ends, and with it
    /// their connections. A program that lives on keeps the threads that had not ended. Default:
    /// the two times above and 15000.
    pub stop_deadline_ms: Option<u64>,
    /// What clients are told at a stop. Default 4100.
    pub drain_close: DrainClose,

    /// For how many milliseconds a shard may not turn, because a handler blocks it or computes,
    /// until the log names it and what it runs. Below 500 it counts as 500; 0 is never. Default
    /// 1000.
    pub watchdog_warn_ms: u64,
    /// Same, until the server ends: [`ServerError::Shard`](crate::server::ServerError::Shard).
    /// Below 500 it counts as 500; 0 is never. Default 5000.
    pub watchdog_end_ms: u64,

    /// Whether metrics and health are answered on a port of their own. Default: unless another
    /// program has that port.
    pub admin: AdminPort,
    /// The address of that port. Default 127.0.0.1; another one needs `admin_token`.
    pub admin_host: IpAddr,
    /// Its number. Default 9601; 0 takes any free one.
    pub admin_port: u16,
    /// What `/metrics` and `/usage` ask for, as a token of the Bearer scheme. Default `None`:
    /// nothing.
    pub admin_token: Option<AppSecret>,
    /// What stands in front of the name of every metric: letters, digits and underscores, no digit
    /// first. Default `soketi_`.
    pub metrics_prefix: String,
    /// How many bytes of memory the server may use. Default: what its control group allows, or
    /// what the machine has.
    pub memory_bytes: Option<u64>,
    /// The percentage of that memory in use from which `/accept-traffic` answers 503. Default 85.
    pub memory_soft_percent: u64,

    /// Same, from which the clients with most waiting for them are closed, with 4100 or 1013.
    /// Default 95.
    pub memory_hard_percent: u64,
    /// Most connections at the same time; past them 503. Default: what the limit on open files
    /// allows, which is never passed.
    pub max_connections: Option<usize>,
    /// Most connections at the same time from one IPv4 address, or from one IPv6 network of 64
    /// bits; past them 429. Default `None`: no limit.
    pub connections_per_address: Option<u32>,
    /// Proxies that are believed whom they ask for. Default empty: nobody.
    pub trusted_proxies: Vec<Network>,
    /// Whether connections of these begin with the PROXY protocol. Default `false`.
    pub proxy_protocol: bool,
    /// Most WebSocket pings of one client in a second. Past them a Pusher client is
    /// closed with 4100, another one with 1008. Default 1000; `None` is no limit.
    pub pings_per_second: Option<u32>,
    /// Most wrong signatures in a minute: of one client, which is closed with 4009 then, and of one
    /// address' requests on one shard, which are answered with 429. Default 100; `None` is no
    /// limit.
    pub auth_failures_per_minute: Option<u32>,

    /// Whether to log every connection and message. Default `false`.
    pub debug: bool,
    /// How lines of the log look. Default [`LogFormat::Auto`].
    pub log_format: LogFormat,
    /// Whether the published demo credentials are accepted. Never on an address others can reach.
    pub demo: bool,
    /// The apps served.
    pub apps: Vec<App>,
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON everywhere else.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Whether there is an admin port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminPort {
    /// No.
    Off,
    /// Yes, unless another program listens there: then the server says so and goes on without.
    #[default]
    IfFree,
    /// Yes; if another program listens there, the server does not start.
    On,
}

/// When clients come back that were closed by a stop (W22).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrainClose {
    /// 4100: after a pause, for nobody may be there yet.
    #[default]
    Later,
    /// 4200: at once, for another process serves the address already.
    AtOnce,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 6001,
            backlog: 4096,
            accept_per_second: None,
            tls_cert: None,
            tls_key: None,
            tls_certificates: Vec::new(),
            tls_port: None,
            tls_handshake_timeout_ms: 5000,
            shards: None,
            cores: Vec::new(),
            spin_us: 0,
            ring_depth: None,
            send_ring: true,
            notsent_lowat_bytes: 16 << 10,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            flush_delay_us: 0,
            mesh_slots: 1024,
            head_timeout_ms: 5000,
            body_timeout_ms: 30_000,
            keep_alive_ms: 75_000,
            head_bytes: 8 << 10,
            body_bytes: 1 << 20,
            message_bytes: 64 << 10,
            channels_per_connection: 200,
            cache_bytes: 64 << 20,
            flap_ms: 3_000,
            sign_in_ms: 30_000,
            count_interval_ms: 5_000,
            outbox_bytes: 1 << 20,
            write_stall_ms: 10_000,
            activity_grace_ms: 30_000,
            pong_wait_ms: 30_000,
            websocket_compression: false,
            websocket_compression_level: 1,
            websocket_compression_bytes: 256,
            path_prefix: String::new(),
            rest_clock_s: 600,
            rest_replay_guard: false,
            webhook_batching: false,
            webhook_batch_ms: 50,
            webhook_retry_ms: 1000,
            webhook_give_up_ms: 300_000,
            webhook_timeout_ms: 10_000,
            webhook_queue_bytes: 16 << 20,
            webhook_ca_file: None,
            drain_spread_ms: None,
            stop_wait_ms: 5_000,
            stop_deadline_ms: None,
            drain_close: DrainClose::default(),
            watchdog_warn_ms: 1000,
            watchdog_end_ms: 5000,
            admin: AdminPort::default(),
            admin_host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            admin_port: 9601,
            admin_token: None,
            metrics_prefix: "soketi_".to_owned(),
            memory_bytes: None,
            memory_soft_percent: 85,
            memory_hard_percent: 95,
            max_connections: None,
            connections_per_address: None,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            pings_per_second: Some(1000),
            auth_failures_per_minute: Some(100),
            debug: false,
            log_format: LogFormat::default(),
            demo: false,
            apps: Vec::new(),
        }
    }
}
