//! Reading from one socket: the only wait on the way in.

use super::pool::{Buffer, Pool};
use super::sockets::Sockets;
use super::stream::Stream;
use super::tasks::pause_ms;
use crate::id::ClientId;
use crate::limits::READ_CHUNK;
use crate::metrics::Count;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
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

    /// Whether what is read was sent encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// Agrees on keys with a client of TLS, once, before anything is read.
    ///
    /// # Errors
    /// When it does not come to that: the peer went away, took too long, or nothing that both
    /// sides speak was found.
    pub async fn agree(&self) -> io::Result<()> {
        let agreed = poll_fn(|cx| self.stream.poll_agree(cx)).await;
        self.sockets.counters().one(match agreed {
            Ok(()) => Count::Agreed,
            Err(_) => Count::Disagreed,
        });
        agreed
    }

    /// Waits until something can be read, without a buffer, then reads it. `None` is the end of
    /// the stream.
    ///
    /// # Errors
    /// What the kernel says of the connection.
    pub async fn read(&self) -> io::Result<Option<Buffer>> {
        poll_fn(|cx| self.poll_read(cx, &[])).await
    }

    /// Same, with what is in `kept` from earlier reads in front; `kept` is emptied then.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// When `kept` fills a whole buffer: what is kept is bounded by the limits of heads.
    pub async fn read_behind(&self, kept: &mut Vec<u8>) -> io::Result<Option<Buffer>> {
        assert!(
            kept.len() < READ_CHUNK,
            "unfinished heads are shorter than a buffer"
        );
        let buffer = poll_fn(|cx| self.poll_read(cx, kept)).await?;
        if buffer.is_some() {
            *kept = Vec::new();
        }
        Ok(buffer)
    }

    /// Whether this reader waits for its peer, since [`Reader::forget_wait`].
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.sockets.waiting_read.get() == Some(self.client)
    }

    /// What is asked next is whether it waits again.
    pub fn forget_wait(&self) {
        self.sockets.waiting_read.set(None);
    }

    /// Waits until its client may be read again, if it is held to a pace, or until the connection
    /// closes.
    pub async fn keep_pace(&self) {
        while let wait_ms @ 1.. = self.sockets.held_back_ms(self.client) {
            self.sockets.set_busy(self.client, true);
            let mut pause = pin!(pause_ms(wait_ms));
            poll_fn(|cx| match self.sockets.poll_closing(self.client, cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => pause.as_mut().poll(cx),
            })
            .await;
            self.sockets.set_busy(self.client, false);
            if self.sockets.is_closing(self.client) {
                return;
            }
        }
    }

    fn poll_read(&self, cx: &mut Context<'_>, front: &[u8]) -> Poll<io::Result<Option<Buffer>>> {
        let pool: &Rc<Pool> = self.sockets.pool();
        let mut buffer = pool.take();
        match self.stream.poll_read(cx, buffer.room(front.len())) {
            Poll::Pending => {
                self.sockets.waiting_read.set(Some(self.client));
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(0)) => Poll::Ready(Ok(None)),
            Poll::Ready(Ok(count)) => {
                buffer.complete(front, count);
                self.sockets.heard(self.client, count);
                Poll::Ready(Ok(Some(buffer)))
            }
        }
    }
}
