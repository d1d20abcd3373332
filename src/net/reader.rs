//! Reading from one socket: the only wait on the way in.

use super::pool::{Buffer, Pool};
use super::sockets::{Sockets, Stream};
use crate::id::ClientId;
use crate::limits::READ_CHUNK;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The reading end of one connection.
#[derive(Debug)]
pub struct Reader {
    client: ClientId,
    stream: Rc<Stream>,
    sockets: Rc<Sockets>,
}

impl Reader {
    /// Reads for `client`, whose socket this is.
    pub(super) fn new(client: ClientId, stream: Rc<Stream>, sockets: Rc<Sockets>) -> Self {
        Self {
            client,
            stream,
            sockets,
        }
    }

    /// Another reader of the same socket, for what comes after this one.
    #[must_use]
    pub fn again(&self) -> Self {
        let (stream, sockets) = (Rc::clone(&self.stream), Rc::clone(&self.sockets));
        Self {
            client: self.client,
            stream,
            sockets,
        }
    }

    /// Whose reader this is.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// The sockets it is one of.
    #[must_use]
    pub fn sockets(&self) -> &Rc<Sockets> {
        &self.sockets
    }

    /// Waits until something can be read, without a buffer, then reads it. What is in `kept`
    /// from earlier reads comes first, and `kept` is emptied. `None` is the end of the stream.
    ///
    /// # Errors
    /// What the kernel says of the connection.
    ///
    /// # Panics
    /// When `kept` fills a whole buffer: what is kept is bounded by the limits of heads.
    pub async fn read(&self, kept: &mut Vec<u8>) -> io::Result<Option<Buffer>> {
        assert!(
            kept.len() < READ_CHUNK,
            "unfinished heads are shorter than a buffer"
        );
        poll_fn(|cx| self.poll_read(cx, kept)).await
    }

    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        kept: &mut Vec<u8>,
    ) -> Poll<io::Result<Option<Buffer>>> {
        let pool: &Rc<Pool> = self.sockets.pool();
        let mut buffer = pool.take();
        match self.stream.poll_read(cx, buffer.room(kept.len())) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(0)) => Poll::Ready(Ok(None)),
            Poll::Ready(Ok(count)) => {
                buffer.complete(kept, count);
                if !kept.is_empty() {
                    *kept = Vec::new();
                }
                self.sockets.heard(self.client);
                Poll::Ready(Ok(Some(buffer)))
            }
        }
    }
}
