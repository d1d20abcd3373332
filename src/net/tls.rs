//! TLS over another stream: rustls keeps the session and its bytes, this moves them.
//!
//! What an outbox holds counts as sent only when the socket has taken it, encrypted. So the last
//! byte of what was encrypted is owed until then: the outbox is not empty before, the deadlines of
//! writing go on, and a frame that has begun to leave is not dropped.

use super::stream::Stream;
use crate::limits::TLS_AHEAD_MAX;
use rustls::{ServerConfig, ServerConnection};
use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Reads of the socket in one look at a session. Records without data bring nothing up, and a peer
/// may send them for ever.
const READS_MAX: usize = 16;

/// What is said to who speaks HTTP where TLS is spoken.
const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 47\r\nConnection: close\r\n\r\n\
    This port speaks TLS: use https:// or wss://.\r\n";

/// A TLS session and the stream below it.
#[derive(Debug)]
pub(super) struct Tls {
    line: Stream,
    /// Borrowed only while polled, never across a wait.
    session: RefCell<Session>,
}

#[derive(Debug)]
struct Session {
    rustls: ServerConnection,
    /// What is read of it from now on.
    input: Input,
    /// All of what was to be written is encrypted, but has not all left.
    owes: bool,
    /// Whoever writes waits for the socket, and is who it wakes.
    writer_waits: bool,
    /// Enough was read in one look: others have their turn.
    pause: bool,
    /// The first byte of all, once it was read.
    first: Option<u8>,
    /// No word goes out any more.
    is_mute: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    /// The peer has ended, with a word or without.
    Ended,
    /// What it sent makes no sense: the rest is dropped.
    Failed,
}

/// The stream below, as rustls reads and writes it.
struct Line<'l, 'c, 'w> {
    stream: &'l Stream,
    cx: &'c mut Context<'w>,
    first: Option<u8>,
}

impl Read for Line<'_, '_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.stream.poll_read(self.cx, into) {
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
            Poll::Ready(Ok(count)) => {
                self.first = self.first.or(into[..count].first().copied());
                Ok(count)
            }
            Poll::Ready(Err(error)) => Err(error),
        }
    }
}

impl Write for Line<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.poll_write(self.cx, bytes) {
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
            Poll::Ready(written) => written,
        }
    }

    /// Several records are joined: the copy costs less than a system call for each.
    fn write_vectored(&mut self, records: &[IoSlice<'_>]) -> io::Result<usize> {
        match records {
            [] => Ok(0),
            [only] => self.write(only),
            _ => {
                let joined: Vec<u8> = records.iter().flat_map(|it| it.iter().copied()).collect();
                self.write(&joined)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tls {
    /// The server's side of a session that begins.
    pub(super) fn new(line: Stream, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let mut rustls = ServerConnection::new(config)?;
        rustls.set_buffer_limit(Some(TLS_AHEAD_MAX));
        let session = RefCell::new(Session {
            rustls,
            input: Input::Open,
            owes: false,
            writer_waits: false,
            pause: false,
            first: None,
            is_mute: false,
        });
        Ok(Self { line, session })
    }

    pub(super) fn line(&self) -> &Stream {
        &self.line
    }

    /// Agrees on keys. What is read or written before that is done fails.
    pub(super) fn poll_agree(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut session = self.session.borrow_mut();
        loop {
            match session.poll_flush(&self.line, cx) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
            if !session.rustls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if session.input != Input::Open {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            match session.poll_pull(&self.line, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    session.refuse(&self.line, cx);
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Reads as much as there is and fits: less than fits is all there was, as with a socket.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut session = self.session.borrow_mut();
        if std::mem::take(&mut session.pause) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = session.poll_read(&self.line, cx, into);
        // An answer to a change of keys, a ticket: what is written without having been asked for.
        if !session.is_mute && !session.writer_waits {
            let _ = session.poll_flush(&self.line, cx); // what fails is found out when it is used
        }
        read
    }

    /// Takes bytes as a socket does. What was taken has left, except for the last byte given,
    /// which is taken when all before it has.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut session = self.session.borrow_mut();
        if session.rustls.is_handshaking() || session.input == Input::Failed {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        }
        if session.poll_flush(&self.line, cx)?.is_pending() {
            session.writer_waits = true;
            return Poll::Pending;
        }
        session.writer_waits = false;
        if std::mem::take(&mut session.owes) {
            return Poll::Ready(Ok(1));
        }
        let count = session.rustls.writer().write(bytes)?;
        if session.poll_flush(&self.line, cx)?.is_ready() || count < bytes.len() {
            return Poll::Ready(Ok(count));
        }
        (session.owes, session.writer_waits) = (true, true);
        match count {
            1 => Poll::Pending,
            _ => Poll::Ready(Ok(count - 1)),
        }
    }

    /// Ends the sending side, with a word; ready when the socket has taken that.
    pub(super) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut session = self.session.borrow_mut();
        if session.is_mute {
            return self.line.poll_end(cx);
        }
        session.rustls.send_close_notify(); // once, however often it is asked for
        let flushed = session.poll_flush(&self.line, cx);
        session.writer_waits = flushed.is_pending();
        match flushed {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => self.line.poll_end(cx),
        }
    }

    /// Ends both directions at once.
    pub(super) fn shutdown(&self) {
        self.say_end();
        self.line.shutdown();
    }

    /// Tells the peer that nothing more comes, if the socket takes that at once.
    pub(super) fn say_end(&self) {
        let mut session = self.session.borrow_mut();
        if !session.is_mute && !session.rustls.is_handshaking() {
            session.rustls.send_close_notify();
            let mut cx = Context::from_waker(Waker::noop());
            let _ = session.poll_flush(&self.line, &mut cx);
        }
    }

    /// Makes the end a reset.
    pub(super) fn reset(&self) -> io::Result<()> {
        self.session.borrow_mut().is_mute = true;
        self.line.reset()
    }
}

impl Session {
    /// Writes what is encrypted.
    fn poll_flush(&mut self, stream: &Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let first = None;
        let mut line = Line { stream, cx, first };
        while self.rustls.wants_write() {
            match self.rustls.write_tls(&mut line) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once from the socket, and makes of it what can be made.
    fn poll_pull(&mut self, stream: &Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let first = self.first;
        let mut line = Line { stream, cx, first };
        let read = self.rustls.read_tls(&mut line);
        self.first = line.first;
        match read {
            Ok(0) => self.input = Input::Ended,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        }
        match self.rustls.process_new_packets() {
            Ok(state) if state.peer_has_closed() => self.input = Input::Ended,
            Ok(_) => {}
            Err(error) => {
                self.input = Input::Failed;
                return Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, error)));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(
        &mut self,
        stream: &Stream,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.input == Input::Failed {
            return self.poll_drop(stream, cx, into);
        }
        let mut filled = 0;
        for _ in 0..READS_MAX {
            // Nothing that is here yet, and an end without a word, are both found out below.
            filled += self.rustls.reader().read(&mut into[filled..]).unwrap_or(0);
            if filled == into.len() || self.input == Input::Ended {
                return Poll::Ready(Ok(filled));
            }
            match self.poll_pull(stream, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Pending if filled == 0 => return Poll::Pending,
                Poll::Ready(Err(error)) if filled == 0 => return Poll::Ready(Err(error)),
                Poll::Pending | Poll::Ready(Err(_)) => return Poll::Ready(Ok(filled)),
            }
        }
        match filled {
            0 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => {
                self.pause = true;
                Poll::Ready(Ok(filled))
            }
        }
    }

    /// Reads and drops, until the peer ends: a socket that is closed with something unread in it
    /// is reset, and the peer would not hear why it was refused.
    fn poll_drop(
        &mut self,
        stream: &Stream,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        for _ in 0..READS_MAX {
            match stream.poll_read(cx, room) {
                Poll::Ready(Ok(1..)) => {}
                other => return other,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Tells the peer why keys cannot be agreed on, as far as it is understood.
    fn refuse(&mut self, stream: &Stream, cx: &mut Context<'_>) {
        let speaks_http = self.first.is_some_and(|byte| byte.is_ascii_uppercase());
        let told = match speaks_http {
            true => stream.poll_write(cx, PLAIN_ANSWER).map_ok(|_| ()),
            false => self.poll_flush(stream, cx),
        };
        let _ = told; // whoever does not read does not want to know
        self.is_mute = true; // no other words follow
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::memory::{self, MEMORY_SOCKET_BYTES, Peer};
    use crate::tls::{Pair, Store};
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::crypto::ring::default_provider;
    use rustls::pki_types::ServerName;
    use rustls::version::{TLS12, TLS13};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
    use std::io::Cursor;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

    /// Both ends of a connection.
    struct Ends {
        server: Stream,
        peer: Peer,
        client: ClientConnection,
    }

    fn ends(versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> Ends {
        let names = vec!["localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = signing_key.serialize_pem();
        let pair = Pair::from_pem(cert.pem().as_bytes(), key.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let (socket, peer) = memory::connection("127.0.0.1:1".parse().unwrap());
        let store = Store::new(vec![pair]).unwrap();
        let server = Stream::from(socket).with_tls(store.config()).unwrap();
        Ends {
            server,
            peer,
            client,
        }
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn now<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(&mut Context::from_waker(Waker::noop()))
    }

    impl Ends {
        /// What the client wants to send next.
        fn said(&mut self) -> Vec<u8> {
            let mut bytes = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut bytes).unwrap();
            }
            bytes
        }

        /// Lets the client take what has arrived; gives what it reads of that.
        fn heard(&mut self) -> Vec<u8> {
            let mut bytes = Vec::new();
            self.peer.receive(&mut bytes);
            let mut read = Vec::new();
            let mut bytes = Cursor::new(bytes);
            while (bytes.position() as usize) < bytes.get_ref().len() {
                self.client.read_tls(&mut bytes).unwrap();
                self.client.process_new_packets().unwrap();
                let _ = self.client.reader().read_to_end(&mut read); // or nothing yet
            }
            read
        }

        fn agree(&mut self) {
            while now(|cx| self.server.poll_agree(cx))
                .map(Result::unwrap)
                .is_pending()
            {
                self.heard();
                let said = self.said();
                assert!(!said.is_empty() || self.client.is_handshaking());
                self.peer.send(&said);
            }
            self.heard();
            self.heard();
            assert!(!self.client.is_handshaking());
        }

        fn send(&mut self, bytes: &[u8]) {
            self.client.writer().write_all(bytes).unwrap();
            let said = self.said();
            self.peer.send(&said);
        }

        fn read(&self, most: usize) -> Poll<Result<Vec<u8>, ErrorKind>> {
            let mut into = vec![0; most];
            let read = now(|cx| self.server.poll_read(cx, &mut into));
            read.map_ok(|count| into[..count].to_vec())
                .map_err(|error| error.kind())
        }

        fn write(&self, bytes: &[u8]) -> Poll<Result<usize, ErrorKind>> {
            let written = now(|cx| self.server.poll_write(cx, bytes));
            written.map_err(|error| error.kind())
        }
    }

    fn ready(bytes: &[u8]) -> Poll<Result<Vec<u8>, ErrorKind>> {
        Poll::Ready(Ok(bytes.to_vec()))
    }

    #[test]
    fn both_versions_are_spoken_in_both_directions() {
        for version in BOTH {
            let mut ends = ends(&[version], &["h2", "http/1.1"]);
            assert_eq!(ends.read(8), Poll::Pending);
            assert_eq!(
                ends.write(b"early"),
                Poll::Ready(Err(ErrorKind::NotConnected))
            );
            ends.agree();
            assert_eq!(ends.client.protocol_version(), Some(version.version));
            assert_eq!(ends.client.alpn_protocol(), Some(&b"http/1.1"[..]));
            ends.send(b"0123456789");
            assert_eq!(ends.read(8), ready(b"01234567"));
            assert_eq!(ends.read(8), ready(b"89"));
            assert_eq!(ends.read(8), Poll::Pending);
            assert_eq!(ends.write(b"answer"), Poll::Ready(Ok(6)));
            assert_eq!(ends.heard(), b"answer");
            assert_eq!(ends.server.raw(), None, "nothing goes past TLS");
        }
    }

    #[test]
    fn a_hello_that_comes_byte_by_byte_is_waited_for_and_one_that_is_cut_fails() {
        // R07
        for version in BOTH {
            let mut whole = ends(&[version], &[]);
            let hello = whole.said();
            for byte in &hello {
                let agreed = now(|cx| whole.server.poll_agree(cx));
                assert!(agreed.is_pending());
                whole.peer.send(&[*byte]);
            }
            whole.agree();
            for cut in 0..hello.len() {
                let ends = ends(&[version], &[]);
                ends.peer.send(&hello[..cut]);
                assert!(now(|cx| ends.server.poll_agree(cx)).is_pending(), "{cut}");
                ends.peer.end_sending();
                let agreed = now(|cx| ends.server.poll_agree(cx));
                assert!(matches!(agreed, Poll::Ready(Err(_))), "{cut}");
                assert_eq!(ends.read(8), ready(b""));
            }
        }
    }

    #[test]
    fn who_does_not_read_holds_what_is_encrypted_and_one_byte_is_owed_for_it() {
        let mut ends = ends(&[&TLS13], &[]);
        ends.agree();
        // Fills the socket: what was taken last has not left whole.
        let block = vec![b'x'; TLS_AHEAD_MAX];
        let mut taken = 0;
        let owed = loop {
            match ends.write(&block) {
                Poll::Ready(Ok(count)) if count == block.len() => taken += count,
                Poll::Ready(Ok(count)) => break count,
                other => panic!("{other:?} after {taken}"),
            }
        };
        assert_eq!(owed, TLS_AHEAD_MAX - 1);
        taken += owed;
        assert!(taken > MEMORY_SOCKET_BYTES - 1024 && taken < MEMORY_SOCKET_BYTES + TLS_AHEAD_MAX);
        assert_eq!(ends.write(b"x"), Poll::Pending);
        assert_eq!(
            ends.write(b"xy"),
            Poll::Pending,
            "more may have come meanwhile"
        );
        assert_eq!(ends.read(8), Poll::Pending);
        let mut got = ends.heard();
        assert_eq!(
            ends.write(b"xy"),
            Poll::Ready(Ok(1)),
            "the byte that was owed"
        );
        got.extend(ends.heard());
        assert_eq!(got.len(), taken + 1);
        assert_eq!(ends.write(b"y"), Poll::Ready(Ok(1)));
        assert_eq!(ends.heard(), b"y", "and no byte is sent twice");
    }

    #[test]
    fn more_than_is_encrypted_at_once_is_taken_in_parts() {
        let mut ends = ends(&[&TLS13], &[]);
        ends.agree();
        let much: Vec<u8> = (0..TLS_AHEAD_MAX * 3).map(|n| n as u8).collect();
        let (mut sent, mut got) = (0, Vec::new());
        while sent < much.len() {
            match ends.write(&much[sent..]) {
                Poll::Ready(count) => sent += count.unwrap(),
                Poll::Pending => got.extend(ends.heard()),
            }
        }
        got.extend(ends.heard());
        assert!(got == much);
    }

    #[test]
    fn each_side_ends_with_a_word_and_hears_the_other_out() {
        for version in BOTH {
            let mut ends = ends(&[version], &[]);
            ends.agree();
            ends.client.send_close_notify();
            let said = ends.said();
            ends.peer.send(&said);
            assert_eq!(ends.read(8), ready(b""));
            assert_eq!(ends.write(b"last"), Poll::Ready(Ok(4)));
            assert!(now(|cx| ends.server.poll_end(cx)).is_ready());
            assert_eq!(ends.heard(), b"last");
            assert!(ends.peer.has_ended());
            let end = ends.client.reader().read(&mut [0]);
            assert_eq!(end.unwrap(), 0, "an end with a word");
        }
    }

    #[test]
    fn the_last_word_waits_for_the_socket() {
        let mut ends = ends(&[&TLS13], &[]);
        ends.agree();
        let tls = ends.server.tls().expect("it was wrapped");
        let much = vec![0; MEMORY_SOCKET_BYTES];
        let filled = now(|cx| tls.line().poll_write(cx, &much));
        assert!(matches!(filled, Poll::Ready(Ok(MEMORY_SOCKET_BYTES))));
        assert!(now(|cx| ends.server.poll_end(cx)).is_pending());
        assert_eq!(ends.read(8), Poll::Pending);
        assert!(ends.peer.receive(&mut Vec::new()) && !ends.peer.has_ended());
        assert!(now(|cx| ends.server.poll_end(cx)).is_ready());
        assert!(ends.peer.receive(&mut Vec::new()) && ends.peer.has_ended());
    }

    #[test]
    fn a_reset_is_no_end_that_was_meant() {
        let mut ends = ends(&[&TLS13], &[]);
        ends.agree();
        ends.server.reset().unwrap();
        ends.server.shutdown();
        assert!(ends.peer.was_reset() && !ends.peer.receive(&mut Vec::new()));
    }

    #[test]
    fn who_is_refused_hears_why() {
        for (sent, wanted) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], PLAIN_ANSWER),
            (&[0x80; 64], &[21, 3, 3, 0, 2, 2, 50]), // an alert
        ] {
            let ends = ends(&[&TLS13], &[]);
            ends.peer.send(sent);
            let agreed = now(|cx| ends.server.poll_agree(cx));
            assert!(matches!(agreed, Poll::Ready(Err(_))));
            assert!(now(|cx| ends.server.poll_end(cx)).is_ready());
            let mut told = Vec::new();
            ends.peer.receive(&mut told);
            assert_eq!(told, wanted, "{}", told.escape_ascii());
            assert!(ends.peer.has_ended());
            ends.peer.send(b"more");
            assert_eq!(ends.read(8), Poll::Pending, "it is dropped");
            assert_eq!(ends.peer.unread(), 0);
        }
        let text = String::from_utf8(PLAIN_ANSWER.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }

    #[test]
    fn who_offers_no_http_is_refused() {
        let mut ends = ends(&[&TLS12], &["h2"]); // where alerts are in clear
        let hello = ends.said();
        ends.peer.send(&hello);
        let agreed = now(|cx| ends.server.poll_agree(cx));
        assert!(matches!(agreed, Poll::Ready(Err(_))));
        let mut told = Vec::new();
        ends.peer.receive(&mut told);
        assert_eq!(told, [21, 3, 3, 0, 2, 2, 120], "no_application_protocol");
    }

    #[test]
    fn bent_records_end_a_session() {
        let mut ends = ends(&[&TLS13], &[]);
        ends.agree();
        ends.client.writer().write_all(b"0123").unwrap();
        let mut said = ends.said();
        *said.last_mut().unwrap() ^= 1;
        ends.peer.send(&said);
        assert_eq!(ends.read(8), Poll::Ready(Err(ErrorKind::InvalidData)));
        assert_eq!(ends.write(b"x"), Poll::Ready(Err(ErrorKind::NotConnected)));
        ends.peer.send(b"whatever");
        assert_eq!(ends.read(8), Poll::Pending);
        ends.peer.end_sending();
        assert_eq!(ends.read(8), ready(b""));
    }

    #[test]
    fn many_small_records_leave_others_their_turn() {
        let mut ends = ends(&[&TLS13], &[]);
        ends.agree();
        for _ in 0..10_000 {
            ends.send(b"x");
        }
        let (mut got, mut pauses) = (0, 0);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut into = [0; 16 * 1024];
        while got < 10_000 {
            match ends.server.poll_read(&mut cx, &mut into) {
                Poll::Ready(count) => got += count.unwrap(),
                Poll::Pending => pauses += 1,
            }
        }
        assert!(pauses >= 2, "{pauses}");
        assert_eq!(
            woken.0.load(Ordering::Relaxed),
            pauses,
            "it goes on by itself"
        );
    }
}
