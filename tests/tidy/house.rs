//! The tables of the house: floors, limits, bans and the few named exceptions.
//!
//! Not here: how a rule is checked. Every row that allows something carries its reason, and a row
//! that no longer allows anything is itself reported, so that the tables stay true.

/// All tables together, so that the tests of the rules can bring tables of their own.
pub struct House {
    /// Top-level module of `src/` and its floor.
    pub floors: &'static [(&'static str, u8)],
    /// The highest floor that does no input and output of its own.
    pub sans_io_top: u8,
    /// What the floors up to `sans_io_top` never name.
    pub sans_io: &'static [Forbidden],
    /// What only the listed modules name.
    pub confined: &'static [Confined],
    /// Words that say nothing as the name of a module, file or type.
    pub empty_words: &'static [&'static str],
    /// Names that are good although an empty word is in them, with the reason.
    pub good_names: &'static [(&'static str, &'static str)],
    /// Files that hold `unsafe`.
    pub unsafe_files: &'static [UnsafeFile],
    /// Uniform tables that may be longer than the limits.
    pub long_tables: &'static [LongTable],
}

/// A path that the sans-IO floors never name.
pub struct Forbidden {
    /// Path prefix, `::` between its segments.
    pub path: &'static str,
    /// What to do instead.
    pub instead: &'static str,
}

/// A path that only some modules name.
pub struct Confined {
    /// Path prefix, `::` between its segments.
    pub path: &'static str,
    /// Top-level modules that may name it; `main` and `lib` are the crate roots.
    pub owners: &'static [&'static str],
    /// What to do instead.
    pub instead: &'static str,
}

/// A file that may hold `unsafe`.
pub struct UnsafeFile {
    /// Path from the root of the project.
    pub path: &'static str,
    /// The decision record that says why; it must exist and name the file.
    pub adr: &'static str,
}

/// A uniform table (flags, codes, metric names) that may be long.
pub struct LongTable {
    /// Path from the root of the project.
    pub path: &'static str,
    /// The function that may be long, or `None` for the file.
    pub function: Option<&'static str>,
    /// Why length does no harm here.
    pub reason: &'static str,
}

/// Lines of a file, without its inline test modules.
pub const FILE_LINES: usize = 500;
/// Lines of a `mod.rs`: documentation and re-exports.
pub const MOD_RS_LINES: usize = 80;
/// Lines of a function, from its signature to its closing brace.
pub const FUNCTION_LINES: usize = 70;
/// Characters of a line.
pub const LINE_CHARS: usize = 100;

/// The tables that hold for this project.
pub const HOUSE: House = House {
    floors: &[
        ("testing", 9),
        ("server", 8),
        ("shard", 7),
        ("pusher", 6),
        ("handler", 5),
        ("mesh", 4),
        ("net", 4),
        ("control", 4),
        ("crossing", 3),
        ("conn", 2),
        ("hub", 2),
        ("timer", 2),
        ("tls", 2),
        ("metrics", 2),
        ("ws", 1),
        ("http", 1),
        ("protocol", 1),
        ("id", 0),
        ("app", 0),
        ("limits", 0),
        ("error", 0),
    ],
    sans_io_top: 3,
    sans_io: SANS_IO,
    confined: &[
        Confined {
            path: "glommio",
            owners: &["net", "mesh", "shard"],
            instead: "go through net, mesh or shard, so that the runtime stays replaceable",
        },
        Confined {
            path: "tokio",
            owners: &["control", "server"],
            instead: "a shard has no tokio reactor: cross by the bridge of control",
        },
        Confined {
            path: "shardcast_loadtest",
            owners: &["main"],
            instead: "nothing of the load tester runs in a server: only main hands over to it",
        },
        Confined {
            path: "sd_notify",
            owners: &["control"],
            instead: "a shard waits for no supervisor: control::Systemd tells it",
        },
        Confined {
            path: "std::env",
            owners: &["server", "main"],
            instead: "read the environment in server::config and pass the value down",
        },
    ],
    empty_words: &[
        "util", "helper", "common", "manager", "core", "base", "service",
    ],
    good_names: &[],
    unsafe_files: &[
        UnsafeFile {
            path: "src/net/listener.rs",
            adr: "docs/adr/0002-own-listener.md",
        },
        UnsafeFile {
            path: "src/net/send_ring.rs",
            adr: "docs/adr/0007-send-ring.md",
        },
        UnsafeFile {
            path: "src/control/heap.rs",
            adr: "docs/adr/0009-give-memory-back.md",
        },
    ],
    long_tables: &[LongTable {
        path: "src/server/config/settings.rs",
        function: Some("default"),
        reason: "one line for each setting",
    }],
};

const TIME: &str = "take the time as a parameter";
const RANDOM: &str = "take the random number or the seed as a parameter";
const BYTES: &str = "take bytes in and push bytes into the caller's buffer";
const RUNTIME: &str = "move the waiting up to net, mesh, control or shard";

const SANS_IO: &[Forbidden] = &[
    Forbidden {
        path: "glommio",
        instead: RUNTIME,
    },
    Forbidden {
        path: "tokio",
        instead: RUNTIME,
    },
    Forbidden {
        path: "io_uring",
        instead: RUNTIME,
    },
    Forbidden {
        path: "std::net::TcpStream",
        instead: BYTES,
    },
    Forbidden {
        path: "std::net::TcpListener",
        instead: BYTES,
    },
    Forbidden {
        path: "std::net::UdpSocket",
        instead: BYTES,
    },
    Forbidden {
        path: "std::net::ToSocketAddrs",
        instead: "take a resolved SocketAddr",
    },
    Forbidden {
        path: "std::os::unix::net",
        instead: BYTES,
    },
    Forbidden {
        path: "socket2",
        instead: BYTES,
    },
    Forbidden {
        path: "rustix",
        instead: "ask the kernel in net or server",
    },
    Forbidden {
        path: "core_affinity",
        instead: "ask the machine in server::placement",
    },
    Forbidden {
        path: "std::time::Instant",
        instead: TIME,
    },
    Forbidden {
        path: "std::time::SystemTime",
        instead: TIME,
    },
    Forbidden {
        path: "std::time::UNIX_EPOCH",
        instead: TIME,
    },
    Forbidden {
        path: "std::env",
        instead: "take the setting as a parameter",
    },
    Forbidden {
        path: "std::fs",
        instead: "take the content as a parameter",
    },
    Forbidden {
        path: "rand",
        instead: RANDOM,
    },
    Forbidden {
        path: "getrandom",
        instead: RANDOM,
    },
    Forbidden {
        path: "fastrand",
        instead: RANDOM,
    },
];
