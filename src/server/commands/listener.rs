//! Whose process listens on a port: what the kernel tells in /proc.

use rustix::process::Pid;
use std::collections::HashSet;
use std::fs;

/// Who listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody does.
    Nobody,
    /// Somebody does, whose files only he and root may see.
    Hidden,
    /// This process does.
    Process(Pid),
    /// These do, side by side: while one takes over from another, say.
    Several(Vec<Pid>),
}

/// Who listens on a TCP port of this machine, at whatever address.
pub(super) fn of(port: u16) -> Found {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    let sockets: HashSet<String> = tables.flat_map(|table| sockets(&table, port)).collect();
    if sockets.is_empty() {
        return Found::Nobody;
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let holders = numbers
        .filter(|&pid| holds(pid, &sockets))
        .filter_map(Pid::from_raw);
    let holders: Vec<Pid> = holders.collect();
    match holders[..] {
        [] => Found::Hidden,
        [pid] => Found::Process(pid),
        _ => Found::Several(holders),
    }
}

/// What the files of the sockets that listen on the port lead to.
fn sockets(table: &str, port: u16) -> Vec<String> {
    const LISTENING: &str = "0A";
    let rows = table.lines().skip(1);
    let rows = rows.filter_map(|row| {
        let mut fields = row.split_whitespace();
        let local = fields.nth(1)?;
        let (_, at) = local.split_once(':')?;
        let is_meant = u16::from_str_radix(at, 16) == Ok(port) && fields.nth(1)? == LISTENING;
        // Behind the state come queues, timer, retries, user and timeout.
        is_meant.then(|| fields.nth(5).map(|inode| format!("socket:[{inode}]")))?
    });
    rows.collect()
}

fn holds(pid: i32, sockets: &HashSet<String>) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets.any(|target| target.to_str().is_some_and(|it| sockets.contains(it)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1771 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
   1: 0100007F:1771 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
   2: 00000000:1772 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0
";

    #[test]
    fn a_row_of_the_table_is_taken_apart() {
        assert_eq!(sockets(TABLE, 6001), ["socket:[4711]"]);
        assert_eq!(sockets(TABLE, 6002), ["socket:[4713]"]);
        assert!(sockets(TABLE, 6003).is_empty() && sockets("", 6001).is_empty());
        assert!(sockets("head\n0: x\n", 6001).is_empty());
    }

    #[test]
    fn who_listens_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            let own = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
            assert_eq!(of(port), Found::Process(own), "{address}");
        }
    }
}
