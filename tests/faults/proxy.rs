//! A bad line between a client and the server: slow, cut into pieces, stalled, half closed, reset.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is no part of a server: it has a tokio reactor, and being late is its purpose"
)]

use socket2::SockRef;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::task::JoinSet;

/// What the line does to all of its connections.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Bytes that are handed on at once, at most.
    pub piece: usize,
    /// Time from one piece to the next.
    pub pause: Duration,
    /// Nothing moves.
    pub stalled: bool,
    /// What becomes of its connections.
    pub end: End,
}

/// How connections go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As their two ends wish.
    Open,
    /// The server is told that the client has ended; the other direction goes on.
    HalfClosed,
    /// Both ends are told of an error.
    Reset,
    /// The line is taken down.
    Down,
}

/// A line as it should be.
pub const GOOD: Line = Line {
    piece: 16 * 1024,
    pause: Duration::ZERO,
    stalled: false,
    end: End::Open,
};

/// A listening proxy; all its connections end with it.
pub struct Proxy {
    /// Where clients connect.
    pub address: SocketAddr,
    line: Sender<Line>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens in front of a server.
    pub fn start(server: SocketAddr, line: Line) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (line, changes) = watch::channel(line);
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(accept(listener, server, changes));
        });
        let thread = Some(thread);
        Self {
            address,
            line,
            thread,
        }
    }

    /// Changes the line, for open connections as well.
    pub fn set(&self, change: impl FnOnce(&mut Line)) {
        self.line.send_modify(change);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(|line| line.end = End::Down);
        let ended = self.thread.take().expect("it is dropped once").join();
        if !thread::panicking() {
            ended.expect("the proxy has no faults of its own");
        }
    }
}

async fn accept(listener: std::net::TcpListener, server: SocketAddr, line: Receiver<Line>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    let mut watched = line.clone();
    let mut down = Box::pin(watched.wait_for(|line| line.end == End::Down));
    loop {
        tokio::select! {
            client = listener.accept() => {
                let (client, _) = client.unwrap();
                connections.spawn(carry(client, server, line.clone()));
            }
            _ = &mut down => return,
        }
    }
}

/// One connection, from accept to both ends.
async fn carry(client: TcpStream, server: SocketAddr, line: Receiver<Line>) {
    let socket = TcpSocket::new_v4().unwrap();
    // What waits shall wait where it came from, and not here.
    socket.set_recv_buffer_size(4096).unwrap();
    SockRef::from(&client).set_send_buffer_size(4096).unwrap();
    let Ok(upstream) = socket.connect(server).await else {
        return;
    };
    let (mut up, mut down, half_line) = (line.clone(), line.clone(), line.clone());
    let mut watched = line;
    let both = async {
        let half = async {
            tokio::select! {
                ended = pump(&client, &upstream, &mut up) => ended,
                () = half_closed(half_line) => {
                    SockRef::from(&upstream).shutdown(Shutdown::Write)
                }
            }
        };
        let whole = pump(&upstream, &client, &mut down);
        let _ = tokio::try_join!(half, whole); // where one breaks off, the other hears of it
    };
    let reset = async {
        let _ = watched.wait_for(|line| line.end == End::Reset).await;
        for stream in [&client, &upstream] {
            let at_once = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            at_once.unwrap();
        }
    };
    tokio::select! {
        () = both => {}
        () = reset => {}
    }
}

async fn half_closed(mut line: Receiver<Line>) {
    let _ = line.wait_for(|line| line.end == End::HalfClosed).await;
}

/// Hands on what one end says until it has ended.
async fn pump(from: &TcpStream, to: &TcpStream, line: &mut Receiver<Line>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let Line { piece, pause, .. } = match line.wait_for(|line| !line.stalled).await {
            Ok(line) => *line,
            Err(_) => return Ok(()),
        };
        from.readable().await?;
        let piece = piece.min(buffer.len());
        let count = match from.try_read(&mut buffer[..piece]) {
            Ok(0) => return SockRef::from(to).shutdown(Shutdown::Write),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            to.writable().await?;
            match to.try_write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
