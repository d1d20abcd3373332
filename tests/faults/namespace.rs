//! A network of one row's own, whose lines it may cut: a network namespace with nothing but its
//! loopback, and rules that drop what comes in.
//!
//! Needs root, iproute2 and nftables. Without root a row says that it is not run and passes, but
//! for where `CI` is set: there it fails.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::thread;

/// The address that clients come from whose line will be cut.
pub const FAR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A program that keeps the namespace until it is dropped.
struct Keeper(Child);

impl Keeper {
    fn start() -> Self {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && echo up && cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
        lines.read_line(&mut line).unwrap();
        let keeper = Self(child);
        assert_eq!(line, "up\n", "there is no namespace");
        keeper
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a row in a network of its own; threads and programs that it starts are there too.
pub fn inside(row: impl FnOnce() + Send) {
    if !rustix::process::geteuid().is_root() {
        let not_run = "NOT RUN: lines can be cut by root alone";
        assert!(std::env::var_os("CI").is_none(), "{not_run}");
        println!("{not_run}");
        return;
    }
    let keeper = Keeper::start();
    let space = File::open(format!("/proc/{}/ns/net", keeper.0.id())).unwrap();
    thread::scope(|scope| {
        let moved = scope.spawn(|| {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            row();
        });
        if let Err(panic) = moved.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Drops everything on its way to or from [`FAR`], from now on. Both ends go on sending.
pub fn cut() {
    let rules = format!(
        "table inet faults {{\n chain input {{\n type filter hook input priority 0\n \
         ip saddr {FAR} drop\n ip daddr {FAR} drop\n }}\n }}\n"
    );
    let status = Command::new("nft").arg(rules).status().unwrap();
    assert!(status.success(), "{status}");
}
