//! R30: webhooks that lead into the network behind the server: by names that lead there, sometimes
//! or always, and by redirects; and receivers that answer nothing, or without an end.
//!
//! The network is the row's own, so the addresses in it are too: one of the open internet, and the
//! one where clouds keep their secrets.

use crate::namespace::inside;
use crate::process::binary;
use crate::scene::{Scene, row};
use crate::shell::{Log, by};
use crate::support::metrics::Values;
use crate::support::pusher::Client;
use crate::support::wire::PATIENCE;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(93, 184, 216, 34);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);
const PORT: u16 = 8000;
/// Calls and answers that may wait to be looked at.
const WAITING_MAX: usize = 100_000;
/// What the server reads of an answer, and what the kernels take before it does.
const TAKEN_MAX: usize = 32 << 20;

/// What a name server says to a query of this name, its first, its second and so on.
fn addresses(name: &str, number: usize) -> &'static [Ipv4Addr] {
    match name {
        "outside.test" => &[OUTSIDE],
        "metadata.test" => &[METADATA],
        "both.test" => &[METADATA, OUTSIDE],
        // One address for who looks at it, another one for who goes there.
        "rebinding.test" if number.is_multiple_of(2) => &[OUTSIDE],
        "rebinding.test" => &[METADATA],
        _ => &[],
    }
}

/// Answers queries for IPv4 addresses; there are none of IPv6.
fn serve_names(asked: &SyncSender<(String, Ipv4Addr)>) {
    const IPV4: [u8; 2] = [0, 1];
    let socket = UdpSocket::bind((NAME_SERVER, 53)).unwrap();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut query = [0; 512];
    while let Ok((size, from)) = socket.recv_from(&mut query) {
        let (mut at, mut labels) = (12, Vec::new());
        while query[at] != 0 {
            let label = &query[at + 1..at + 1 + usize::from(query[at])];
            labels.push(String::from_utf8(label.to_vec()).unwrap());
            at += 1 + label.len();
        }
        let (name, end) = (labels.join("."), at + 5);
        assert!(end <= size, "a query ends with its type and class");
        let mut found: &[Ipv4Addr] = &[];
        if query[at + 1..at + 3] == IPV4 {
            let number = numbers.entry(name.clone()).or_default();
            found = addresses(&name, *number);
            *number += 1;
        }
        // The question again, a good answer, and behind the name that stands there: IPv4, of the
        // internet, to be kept for no time, four bytes.
        let mut answer = query[..end].to_vec();
        answer[2..4].copy_from_slice(&[0x81, 0x80]);
        answer[6..12].copy_from_slice(&[0, found.len() as u8, 0, 0, 0, 0]);
        for address in found {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
            answer.extend(address.octets());
            let _ = asked.try_send((name.clone(), *address));
        }
        socket.send_to(&answer, from).unwrap();
    }
}

/// Bytes of answers without an end that somebody took.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Answers one call by its path.
fn answer(mut stream: TcpStream, path: &str) {
    match path {
        "/redirect" => {
            let head = format!(
                "HTTP/1.1 307 X\r\nLocation: http://{METADATA}:{PORT}/stolen\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes());
        }
        "/silence" => {}
        "/endless" => {
            let head = b"HTTP/1.1 200 X\r\nContent-Length: 100000000000\r\n\r\n";
            let mut sent = stream.write_all(head);
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 65_536]);
                TAKEN.fetch_add(65_536, Ordering::Relaxed);
            }
        }
        _ => drop(stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")),
    }
    // Until the other side ends it.
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Listens on an address; tells who was called there for what.
fn listen(address: Ipv4Addr, called: SyncSender<(Ipv4Addr, String)>) {
    let listener = TcpListener::bind((address, PORT)).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, called) = (stream.unwrap(), called.clone());
            thread::spawn(move || {
                let mut head = [0; 8192];
                let size = stream.read(&mut head).unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..size]);
                let path = head.split(' ').nth(1).unwrap_or("no path").to_owned();
                called
                    .try_send((address, path.clone()))
                    .expect("there is room");
                answer(stream, &path);
            });
        }
    });
}

/// An app that tells all of these when a channel is occupied.
fn app() -> String {
    let mut app = "[[apps]]\nid = '2'\nkey = 'k2'\nsecret = 's2'\n".to_owned();
    for url in [
        "outside.test:8000/plain",
        "rebinding.test:8000/rebinding",
        "metadata.test:8000/metadata",
        "both.test:8000/both",
        "outside.test:8000/redirect",
        "outside.test:8000/silence",
        "outside.test:8000/endless",
    ] {
        app += &format!(
            "[[apps.webhooks]]\nurl = 'http://{url}'\nevent_types = ['channel_occupied']\n"
        );
    }
    app
}

/// A network with a name server and two listeners.
struct Network {
    called: Receiver<(Ipv4Addr, String)>,
    asked: Receiver<(String, Ipv4Addr)>,
}

impl Network {
    fn new() -> Self {
        for address in [OUTSIDE, METADATA] {
            let address = format!("{address}/32");
            let status = Command::new("ip")
                .args(["addr", "add", &address, "dev", "lo"])
                .status();
            assert!(status.unwrap().success());
        }
        let (to, called) = sync_channel(WAITING_MAX);
        listen(OUTSIDE, to.clone());
        listen(METADATA, to);
        let (to, asked) = sync_channel(WAITING_MAX);
        thread::spawn(move || serve_names(&to));
        Self { called, asked }
    }
}

fn lead_astray(scene: &Scene, network: &Network) {
    const ROUNDS: usize = 10;
    let mut client = Client::connect(scene.address(), "k2");
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    let start = Instant::now();
    let wanted = [
        "/plain",
        "/rebinding",
        "/both",
        "/redirect",
        "/silence",
        "/endless",
    ];
    let called = |calls: &BTreeMap<String, usize>, path: &str| calls.get(path).copied();
    for number in 0.. {
        client.subscribe(&format!("a-{number}"));
        while let Ok((address, path)) = network.called.try_recv() {
            assert_eq!(
                address, OUTSIDE,
                "{path} led into the network behind the server"
            );
            *calls.entry(path).or_default() += 1;
        }
        let all = |path: &&str| called(&calls, path).unwrap_or(0) > 1;
        let often = called(&calls, "/rebinding").unwrap_or(0) >= ROUNDS;
        if often && wanted.iter().all(all) {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "not all are called: {calls:?}");
        client.unsubscribe(&format!("a-{number}"));
    }
    let asked: Vec<(String, Ipv4Addr)> = network.asked.try_iter().collect();
    let told = |name: &str| {
        let count = asked
            .iter()
            .filter(|it| **it == (name.to_owned(), METADATA))
            .count();
        assert!(count > 0, "nobody was led astray by {name}");
        count
    };
    println!(
        "r30: calls {calls:?}; to rebinding.test {} names led astray, and nobody went",
        told("rebinding.test")
    );
    told("metadata.test");
    told("both.test");
    let failures = Values::of(scene.server.admin.unwrap()).sum("webhook_failures_total", &[]);
    assert!(failures > 0.0);
    let taken = TAKEN.load(Ordering::Relaxed);
    assert!(
        taken < TAKEN_MAX * called(&calls, "/endless").unwrap(),
        "{taken} bytes"
    );
}

#[test]
fn r30_no_webhook_leads_into_the_network_behind_the_server() {
    inside(|| {
        // An address that is written out is not even started with.
        for url in [
            "169.254.169.254/latest",
            "[::ffff:169.254.169.254]/",
            "[fe80::1]/",
            "0.0.0.0/",
        ] {
            let hooks = format!(r#"[{{"url":"http://{url}"}}]"#);
            let mut command = Command::new(binary());
            command
                .args(["start", "--port", "0"])
                .env("SHARDCAST_APP_WEBHOOKS", hooks);
            for (name, value) in [("ID", "1"), ("KEY", "k"), ("SECRET", "s")] {
                command.env(format!("SHARDCAST_APP_{name}"), value);
            }
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{url}: {said}");
            assert!(said.contains("never allowed"), "{url}: {said}");
        }
        // It is there for longer than the trouble: the server still calls while it is stopped.
        let mut network = Network::new();
        let lent = &mut network;
        let log = Log::new("r30");
        let names = std::env::temp_dir().join(format!("shardcast-r30-{}", std::process::id()));
        std::fs::write(&names, format!("nameserver {NAME_SERVER}\n")).unwrap();
        let script = format!(
            "mount --bind '{}' /etc/resolv.conf && {}",
            names.display(),
            log.script()
        );
        let by = [&["unshare", "--mount"][..], &by(&script)].concat();
        row("r30")
            .by(&by)
            .apps(&app())
            .flag("--flap-ms", 1)
            .flag("--webhook-retry-ms", 50)
            .flag("--webhook-timeout-ms", 400)
            .run(move |scene| lead_astray(scene, lent));
        std::fs::remove_file(&names).unwrap();
        let text = log.text();
        assert!(
            text.contains("metadata service") && !text.contains("panicked"),
            "{text}"
        );
    });
}
