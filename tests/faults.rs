//! Faults and attacks against the real binary, one row of `docs/faults.md` each, beside fifty
//! clients that must notice nothing.
//!
//! `make test-faults` runs them against a release. Rows take turns: each has the machine to itself,
//! as far as other programs let it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;
mod support;

#[path = "faults/bystanders.rs"]
mod bystanders;
#[path = "faults/drip.rs"]
mod drip;
#[path = "preflight/filter.rs"]
mod filter;
#[path = "faults/group.rs"]
mod group;
#[path = "faults/namespace.rs"]
mod namespace;
#[path = "tls/pki.rs"]
#[allow(dead_code, reason = "the tests of TLS itself need more of it")]
mod pki;
#[path = "faults/proxy.rs"]
mod proxy;
#[path = "faults/scene.rs"]
mod scene;
#[path = "faults/shell.rs"]
mod shell;
#[path = "faults/waits.rs"]
mod waits;

#[path = "faults/r01_slow_consumers.rs"]
mod r01_slow_consumers;
#[path = "faults/r02_slow_reader.rs"]
mod r02_slow_reader;
#[path = "faults/r03_half_open.rs"]
mod r03_half_open;
#[path = "faults/r04_cut_in_flight.rs"]
mod r04_cut_in_flight;
#[path = "faults/r05_half_close.rs"]
mod r05_half_close;
#[path = "faults/r06_slow_heads.rs"]
mod r06_slow_heads;
#[path = "faults/r07_tls_hellos.rs"]
mod r07_tls_hellos;
#[path = "faults/r08_slow_bodies.rs"]
mod r08_slow_bodies;
#[path = "faults/r09_bad_heads.rs"]
mod r09_bad_heads;
#[path = "faults/r10_oversize_frames.rs"]
mod r10_oversize_frames;
#[path = "faults/r11_fragment_bombs.rs"]
mod r11_fragment_bombs;
#[path = "faults/r12_broken_frames.rs"]
mod r12_broken_frames;
#[path = "faults/r13_broken_text.rs"]
mod r13_broken_text;
#[path = "faults/r14_ping_floods.rs"]
mod r14_ping_floods;
#[path = "faults/r15_deflate_bombs.rs"]
mod r15_deflate_bombs;
#[path = "faults/r16_no_descriptors.rs"]
mod r16_no_descriptors;
#[path = "faults/r17_backlog.rs"]
mod r17_backlog;
#[path = "faults/r18_reconnect.rs"]
mod r18_reconnect;
#[path = "faults/r19_addresses.rs"]
mod r19_addresses;
#[path = "faults/r20_signature_timing.rs"]
mod r20_signature_timing;
#[path = "faults/r21_signed_requests.rs"]
mod r21_signed_requests;
#[path = "faults/r22_replay.rs"]
mod r22_replay;
#[path = "faults/r23_json_bombs.rs"]
mod r23_json_bombs;
#[path = "faults/r24_presence_members.rs"]
mod r24_presence_members;
#[path = "faults/r25_channel_churn.rs"]
mod r25_channel_churn;
#[path = "faults/r26_guessing.rs"]
mod r26_guessing;
#[path = "faults/r27_origins.rs"]
mod r27_origins;
#[path = "faults/r28_certificates.rs"]
mod r28_certificates;
#[path = "faults/r29_secrets.rs"]
mod r29_secrets;
#[path = "faults/r30_webhook_targets.rs"]
mod r30_webhook_targets;
#[path = "faults/r31_panics.rs"]
mod r31_panics;
#[path = "faults/r32_stuck_shards.rs"]
mod r32_stuck_shards;
#[path = "faults/r34_order.rs"]
mod r34_order;
#[path = "faults/r38_clocks.rs"]
mod r38_clocks;
#[path = "faults/r39_stop.rs"]
mod r39_stop;
#[path = "faults/r40_reloads.rs"]
mod r40_reloads;
#[path = "faults/r42_no_memory.rs"]
mod r42_no_memory;
#[path = "faults/r43_no_io_uring.rs"]
mod r43_no_io_uring;
#[path = "faults/r44_short_rings.rs"]
mod r44_short_rings;
#[path = "faults/r45_leaks.rs"]
mod r45_leaks;
#[path = "faults/r46_figures.rs"]
mod r46_figures;
#[path = "faults/r47_supply.rs"]
mod r47_supply;
