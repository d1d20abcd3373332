//! One try: resolve, look at the address, connect to exactly that, send, see what is answered.
//!
//! Nothing is followed and nothing is kept: a redirect is a failure (K11), the body of an answer is
//! read a little, so that the peer can finish, and dropped.

use super::queue::Parcel;
use super::target::{Target, usable};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Bytes of an answer's head, and of the part of its body that is read.
const ANSWER_BYTES: usize = 64 << 10;

/// How long an answer's body is read once its head was good.
const REST: Duration = Duration::from_secs(1);

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Its name has no address.
    Resolve(io::Error),
    /// None of its addresses may be connected to.
    Refused(&'static str),
    /// Nobody can be reached there.
    Connect(io::Error),
    /// TLS failed.
    Tls(io::Error),
    /// What came back is not HTTP, or nothing did.
    Http(hyper::Error),
    /// The answer is not 2xx.
    Status(u16),
    /// It took too long.
    Timeout,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => write!(f, "its name cannot be resolved: {error}"),
            Self::Refused(reason) => f.write_str(reason),
            Self::Connect(error) => write!(f, "it cannot be reached: {error}"),
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
            Self::Http(error) => write!(f, "it gave no answer: {error}"),
            Self::Status(status) => write!(f, "it answered {status}"),
            Self::Timeout => f.write_str("it gave no answer in time"),
        }
    }
}

/// How an endpoint is reached.
pub(super) struct Route {
    pub(super) target: Target,
    pub(super) trusted: bool,
    /// What each request says, but for the signature.
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) tls: Option<TlsConnector>,
    /// Room for its lookups: a name server that says nothing must not take thread after thread.
    pub(super) lookups: Arc<Semaphore>,
}

impl Route {
    /// Sends a parcel.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(super) async fn send(&self, parcel: &Parcel) -> Result<(), Failure> {
        let done = within(self.timeout, self.once(parcel)).await;
        done.unwrap_or(Err(Failure::Timeout))
    }

    async fn once(&self, parcel: &Parcel) -> Result<(), Failure> {
        let stream = connect(&self.addresses().await?, self.timeout).await?;
        match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from(self.target.host.clone());
                let name = name.map_err(|error| Failure::Tls(io::Error::other(error)))?;
                let stream = tls.connect(name, stream).await.map_err(Failure::Tls)?;
                self.exchange(stream, parcel).await
            }
            None => self.exchange(stream, parcel).await,
        }
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        let Target { host, port, .. } = &self.target;
        let usable = match host.parse::<IpAddr>() {
            Ok(address) => usable([SocketAddr::new(address, *port)].into_iter(), self.trusted),
            Err(_) => {
                let found = self.lookup((host.clone(), *port)).await;
                usable(found.map_err(Failure::Resolve)?, self.trusted)
            }
        };
        usable.map_err(Failure::Refused)
    }

    /// Asks the system, which nothing can interrupt: a lookup that goes on when its try is over
    /// still counts as one of those that may be under way.
    async fn lookup(&self, name: (String, u16)) -> io::Result<std::vec::IntoIter<SocketAddr>> {
        let permit = Arc::clone(&self.lookups).acquire_owned().await;
        let found = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            name.to_socket_addrs()
        });
        found.await?
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        parcel: &Parcel,
    ) -> Result<(), Failure> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(ANSWER_BYTES);
        let stream = TokioIo::new(stream);
        let (mut sender, connection) = builder.handshake(stream).await.map_err(Failure::Http)?;
        // The set ends what is in it when it is dropped, so that nothing of a try outlives it, also
        // when its time is over: a peer that reads nothing would keep a TLS stream closing forever.
        let mut tasks = JoinSet::new();
        tasks.spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::trace!(%error, "a webhook's connection ended early");
            }
        });
        match sender.send_request(self.request(parcel)).await {
            Ok(response) => judge(response).await,
            Err(error) => Err(Failure::Http(error)),
        }
    }

    fn request(&self, parcel: &Parcel) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(parcel.bytes.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.path.clone();
        *request.headers_mut() = self.headers.clone();
        let signature = HeaderValue::from_str(&parcel.signature);
        let signature = signature.expect("hex digits are fit for a header");
        request
            .headers_mut()
            .insert("x-pusher-signature", signature);
        request
    }
}

/// Whether the answer is a yes; its body says nothing.
async fn judge(response: Response<Incoming>) -> Result<(), Failure> {
    let status = response.status();
    if !status.is_success() {
        return Err(Failure::Status(status.as_u16())); // K11: 3xx too
    }
    let mut body = response.into_body();
    let drop_body = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read >= ANSWER_BYTES {
                break;
            }
        }
    };
    // It was taken, whether or not the rest of the answer arrives.
    let _ = within(REST, drop_body).await;
    Ok(())
}

#[expect(
    clippy::disallowed_types,
    reason = "the control thread has a reactor, and hyper speaks over tokio's streams"
)]
async fn connect(
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<tokio::net::TcpStream, Failure> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    // One that swallows everything, as IPv6 often is where it only half works, must not keep the
    // others from being tried.
    let share = limit / addresses.len().max(1) as u32;
    for address in addresses {
        match within(share, tokio::net::TcpStream::connect(address)).await {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => last = error,
            None => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(Failure::Connect(last))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the control thread has a reactor"
)]
async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::rc::Rc;
    use std::task::{Context, Poll};
    use tokio::io::ReadBuf;

    /// Somebody who takes nothing, says nothing and does not let go, as a TLS stream looks over a
    /// window that stays shut.
    struct Stuck(
        #[expect(dead_code, reason = "it tells whether the stream is still there")] Rc<()>,
    );

    impl AsyncRead for Stuck {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Stuck {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    fn route() -> Route {
        Route {
            target: Target::parse("http://a.example/").unwrap(),
            trusted: true,
            headers: HeaderMap::new(),
            timeout: Duration::from_millis(1),
            tls: None,
            lookups: Arc::new(Semaphore::new(1)),
        }
    }

    fn parcel() -> Parcel {
        Parcel {
            bytes: Bytes::from_static(b"{}"),
            signature: "00".to_owned(),
            events: 1,
            about: Vec::new(),
        }
    }

    fn run(work: impl Future<Output = ()>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, work);
    }

    #[test]
    fn nothing_of_a_try_outlives_its_time() {
        run(async {
            let alive = Rc::new(());
            let (route, parcel) = (route(), parcel());
            let exchange = route.exchange(Stuck(Rc::clone(&alive)), &parcel);
            assert!(within(route.timeout, exchange).await.is_none());
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert_eq!(Rc::strong_count(&alive), 1, "the stream is still there");
        });
    }

    #[test]
    fn lookups_that_hang_keep_others_from_being_begun() {
        run(async {
            let mut route = route();
            route.target = Target::parse("http://localhost/").unwrap();
            let hangs = Arc::clone(&route.lookups).acquire_owned().await;
            let looked = within(route.timeout, route.addresses()).await;
            assert!(looked.is_none(), "it waits, and its time runs");
            drop(hangs);
            assert!(route.addresses().await.is_ok());
            assert_eq!(route.lookups.available_permits(), 1);
        });
    }

    #[test]
    fn an_address_that_swallows_everything_leaves_time_for_the_next() {
        use socket2::{Domain, Socket, Type};
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        full.bind(&local.into()).unwrap();
        full.listen(0).unwrap();
        let swallows = full.local_addr().unwrap().as_socket().unwrap();
        let limit = Duration::from_millis(50);
        let waiting: Vec<_> = (0..3)
            .map(|_| std::net::TcpStream::connect_timeout(&swallows, limit))
            .collect();
        assert!(waiting.iter().any(Result::is_err), "its backlog is full");
        let listener = std::net::TcpListener::bind(local).unwrap();
        let good = listener.local_addr().unwrap();
        run(async {
            let limit = Duration::from_secs(1);
            let stream = within(2 * limit, connect(&[swallows, good], limit)).await;
            let stream = stream.expect("it is over").expect("one can be reached");
            assert_eq!(stream.peer_addr().unwrap(), good);
        });
    }
}
