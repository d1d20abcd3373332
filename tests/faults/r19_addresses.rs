//! R19: an address that takes all the places it can get, and says that it is others.

use crate::scene::row;
use crate::support::http::{Http, Response};
use crate::support::metrics::Values;
use crate::support::pusher::QUERY;
use crate::support::websocket::{Ws, upgrade};
use crate::support::wire::{PATIENCE, Wire};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

/// Places of an address: more than the bystanders have together, who are all of one.
const PLACES: usize = 100;
const STORM: usize = 1_000;
const ATTACKER: u8 = 2;
const PROXY: u8 = 9;

/// A connection from one of this machine's addresses, all of which are in 127.0.0.0/24.
fn from(last: u8, to: SocketAddr) -> Http {
    let connected = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(Ipv4Addr::new(127, 0, 0, last).into(), 0).into())?;
        socket.connect(&to.into())?;
        Ok::<_, std::io::Error>(socket)
    };
    let wire = Wire::over(connected().expect("the server listens").into());
    Http { wire }
}

/// A Pusher handshake with this field: the WebSocket, or the answer that refuses it.
fn enter(mut http: Http, field: &str) -> Result<Ws, Response> {
    let target = format!("/app/app-key{QUERY}");
    http.wire
        .send_while_open(&upgrade("GET", &target, &[field]));
    let answer = http.head_response();
    match answer.status {
        101 => Ok(Ws { wire: http.wire }),
        _ => Err(answer),
    }
}

fn expect_refused(http: Http, field: &str) {
    let answer = enter(http, field).expect_err(field);
    assert_eq!((answer.status, answer.closes()), (429, true), "{field}");
    assert!(answer.header("retry-after").is_some());
}

/// Whom a proxy asks for; a client may have written the first part itself.
fn forwarded(client: u8) -> String {
    format!("X-Forwarded-For: 198.51.100.{client}, 192.0.2.{client}")
}

#[test]
fn r19_an_address_gets_its_places_and_no_more_whoever_it_says_it_is() {
    row("r19")
        .flag("--connections-per-address", PLACES)
        .flag("--trusted-proxies", format!("127.0.0.{PROXY}"))
        .run(|scene| {
            let to = scene.address();
            let attacker = || from(ATTACKER, to);
            let mut inside: Vec<Ws> = (0..PLACES)
                .map(|n| enter(attacker(), &forwarded(n as u8)).unwrap())
                .collect();
            let fields = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Nothing"];
            for number in 0..STORM {
                let name = fields[number % fields.len()];
                let value = if name == "Forwarded" {
                    "for=192.0.2.7"
                } else {
                    "192.0.2.7"
                };
                expect_refused(attacker(), &format!("{name}: {value}"));
            }
            // It has taken nobody else's places: another address has all of its own.
            let other = || from(ATTACKER + 1, to);
            let others: Vec<Ws> = (0..PLACES)
                .map(|_| enter(other(), "X: y").unwrap())
                .collect();
            expect_refused(other(), "X: y");
            // Of a proxy that is believed each client has as many, and not what it claims itself.
            let proxy = |client| enter(from(PROXY, to), &forwarded(client));
            let behind: Vec<Ws> = (0..PLACES).map(|_| proxy(1).unwrap()).collect();
            expect_refused(from(PROXY, to), &forwarded(1));
            drop(proxy(2).unwrap());
            let admin = scene.server.admin.unwrap();
            let refused = Values::of(admin);
            let refused = refused.sum("connections_refused_total", &[r#"reason="address""#]);
            assert_eq!(refused as usize, STORM + 2);
            // Places come back, and only as many as were left.
            inside.truncate(PLACES - 1);
            let start = Instant::now();
            while enter(attacker(), "X: y").map(|ws| inside.push(ws)).is_err() {
                assert!(start.elapsed() < PATIENCE, "the place stays taken");
            }
            expect_refused(attacker(), "X: y");
            drop((inside, others, behind));
        });
}
