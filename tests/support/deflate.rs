//! Compressed messages (permessage-deflate, RFC 7692) as a client makes and reads them.

use super::server::TestServer;
use super::websocket::{FIN, TEXT, Ws, shake_at};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use std::net::SocketAddr;

/// The bit of a message's first frame that says that it is compressed.
pub const RSV1: u8 = 0x40;

/// A client that offers compression with these parameters, which the server takes.
pub fn squeezed(server: &TestServer, target: &str, parameters: &str) -> Ws {
    squeezed_at(server.address(), target, parameters)
}

/// Same, of the server at an address.
pub fn squeezed_at(address: SocketAddr, target: &str, parameters: &str) -> Ws {
    let offer = format!("Sec-WebSocket-Extensions: permessage-deflate{parameters}");
    let (answer, ws) = shake_at(address, target, &[&offer]);
    assert_eq!(answer.status, 101);
    assert!(answer.header("sec-websocket-extensions").is_some());
    ws
}

/// Reads a frame as it came: its first byte, and its payload.
pub fn raw(ws: &mut Ws) -> (u8, Vec<u8>) {
    let head = ws.wire.take(2);
    let length = match head[1] {
        126 => u16::from_be_bytes(ws.wire.take(2).try_into().expect("two")).into(),
        short => u64::from(short),
    };
    (head[0], ws.wire.take(length as usize))
}

/// What a message is on the wire (section 7.2.1).
pub fn deflated(payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut stream = Compress::new(Compression::best(), false);
    let mut out = Vec::with_capacity(2 * payload.as_ref().len() + 100);
    let done = stream.compress_vec(payload.as_ref(), &mut out, FlushCompress::Sync);
    done.expect("there is room");
    out.truncate(out.len() - 4);
    out
}

/// What a compressed text says (section 7.2.2).
pub fn inflated(payload: &[u8]) -> String {
    let mut out = Vec::with_capacity(100_000);
    let input = [payload, &[0, 0, 0xff, 0xff]].concat();
    let mut stream = Decompress::new(false);
    let done = stream.decompress_vec(&input, &mut out, FlushDecompress::Sync);
    done.expect("it is DEFLATE");
    String::from_utf8(out).expect("text is UTF-8")
}

/// Reads a frame that is a whole compressed text, and its text.
#[track_caller]
pub fn expect_squeezed(ws: &mut Ws) -> String {
    let (first, payload) = raw(ws);
    assert_eq!(first, FIN | RSV1 | TEXT, "RFC 7692, section 6");
    inflated(&payload)
}
