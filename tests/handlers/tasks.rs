//! Tasks of handlers, time, and work for tokio, on a real server.

use crate::support::server::{TestServer, config};
use crate::support::websocket::{Incoming, Ws};
use crate::support::wire::PATIENCE;
use flume::{Receiver, Sender, bounded};
use shardcast::handler::{
    Client, Endpoint, Handler, Handshake, Message, Request, Result, Task, TaskError, Work,
};
use shardcast::server::Server;
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

/// Says when it is dropped.
struct Falls(Sender<&'static str>, &'static str);

impl Drop for Falls {
    fn drop(&mut self) {
        let _ = self.0.try_send(self.1); // the test is over when nobody listens
    }
}

/// Obeys the first word of each message.
struct Worker {
    endpoint: Endpoint,
    log: Sender<&'static str>,
    release: Receiver<()>,
    started: RefCell<Vec<String>>,
}

impl Worker {
    fn falls(&self, what: &'static str) -> Falls {
        Falls(self.log.clone(), what)
    }

    async fn obey(&self, client: &mut Client<Session>, word: &str, rest: &str) -> Result<String> {
        let (endpoint, id) = (self.endpoint.clone(), client.id());
        Ok(match word {
            "join" => {
                let not_send = Rc::new(rest.to_owned());
                let task = self.endpoint.spawn(async move { not_send.len() });
                format!("{:?}", task.await)
            }
            "panic" => {
                let task = self.endpoint.spawn(async { panic!("a task's own") });
                let task: Task<()> = task;
                task.await.expect_err("it panicked").to_string()
            }
            "detach" => {
                let falls = self.falls("the detached one");
                let ticks = async move {
                    let _falls = falls;
                    let mut interval = endpoint.interval(Duration::from_millis(1));
                    for n in 0.. {
                        interval.tick().await;
                        if n < 3 {
                            endpoint
                                .send(id, &format!("tick {n}"))
                                .expect("it is there");
                        }
                    }
                };
                self.endpoint.spawn(ticks).detach();
                "detached".into()
            }
            "keep" => {
                let falls = self.falls("the session's own");
                let waits = async move {
                    endpoint.sleep(Duration::MAX).await;
                    drop(falls);
                };
                client.session_mut().task = Some(self.endpoint.spawn(waits));
                "kept".into()
            }
            "cancel" => {
                let task = client.session_mut().task.take().expect("it was kept");
                task.cancel();
                "cancelled".into()
            }
            "sleep" => {
                let start = Instant::now();
                self.endpoint.sleep(Duration::from_millis(20)).await;
                format!("{}", start.elapsed() >= Duration::from_millis(20))
            }
            other => return self.leave(other, rest).await,
        })
    }

    /// Obeys what leaves work to other threads.
    async fn leave(&self, word: &str, rest: &str) -> Result<String> {
        Ok(match word {
            "started" => self.started.borrow().join(" "),
            "fetch" => {
                let address: std::net::SocketAddr = rest.parse()?;
                let fetched = self.endpoint.on_tokio(async move {
                    #[expect(clippy::disallowed_types, reason = "it runs where tokio does")]
                    let stream = tokio::net::TcpStream::connect(address).await?;
                    stream.writable().await?;
                    assert_eq!(stream.try_write(b"hello")?, 5);
                    stream.readable().await?;
                    let mut answer = [0; 5];
                    let length = stream.try_read(&mut answer)?;
                    Ok::<_, std::io::Error>(answer[..length].to_vec())
                });
                String::from_utf8(fetched.await??)?
            }
            "tokio-panic" => {
                let work = self.endpoint.on_tokio(async { panic!("over there") });
                let work: Work<()> = work;
                work.await.expect_err("it panicked").to_string()
            }
            "drop" => {
                let falls = self.falls("the future");
                let work = self.endpoint.on_tokio(async move {
                    std::future::pending::<()>().await;
                    drop(falls);
                });
                drop(work);
                "dropped".into()
            }
            "block" => {
                let release = self.release.clone();
                let closure = move || release.recv_timeout(PATIENCE).map(|()| thread_name());
                self.endpoint.blocking(closure).await??
            }
            "block-dropped" => {
                let falls = self.falls("the closure");
                let release = self.release.clone();
                drop(self.endpoint.blocking(move || {
                    let waited = release.recv_timeout(PATIENCE);
                    drop(falls);
                    waited
                }));
                "dropped".into()
            }
            _ => "alive".into(),
        })
    }
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

#[derive(Default)]
struct Session {
    task: Option<Task<()>>,
}

impl Handler for Worker {
    type Session = Session;

    async fn on_start(&self, endpoint: &Endpoint) -> Result {
        #[expect(
            clippy::disallowed_methods,
            reason = "it runs where tokio has its reactor"
        )]
        let slept = async { tokio::time::sleep(Duration::from_millis(1)).await };
        endpoint.on_tokio(slept).await?;
        let on = endpoint.blocking(thread_name).await?;
        self.started.borrow_mut().push(on);
        Ok(())
    }

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<Session>> {
        Ok(Handshake::accept(Session::default()))
    }

    async fn on_message(&self, client: &mut Client<Session>, message: Message<'_>) -> Result {
        let text = message.as_text().ok_or("text is wanted")?.to_owned();
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let answer = self.obey(client, word, rest).await?;
        Ok(client.send_text(&answer)?)
    }

    async fn on_stop(&self, endpoint: &Endpoint) {
        let sends = endpoint.clone();
        let farewell = endpoint.spawn(async move {
            sends.sleep(Duration::from_millis(1)).await;
            for client in sends.local_clients() {
                let _ = sends.send(client, "farewell"); // it may just have gone
            }
        });
        assert_eq!(farewell.await, Ok(()));
    }
}

struct Tasks {
    server: TestServer,
    log: Receiver<&'static str>,
    release: Sender<()>,
}

impl Tasks {
    fn start() -> Self {
        let (log, said) = bounded(100);
        let (release, released) = bounded(100);
        let routes = move |router: &mut shardcast::handler::Router| {
            router.mount("/work", |endpoint| Worker {
                endpoint,
                log: log.clone(),
                release: released.clone(),
                started: RefCell::default(),
            });
        };
        let server = Server::builder().config(config([])).routes(routes);
        Self {
            server: TestServer::build(server),
            log: said,
            release,
        }
    }

    fn client(&self) -> Ws {
        Ws::open(self.server.address(), "/work")
    }

    fn next(&self) -> &'static str {
        self.log.recv_timeout(PATIENCE).expect("something falls")
    }
}

#[track_caller]
fn expect(ws: &mut Ws, what: &str, answer: &str) {
    ws.send_text(what);
    assert_eq!(ws.expect_text(), answer, "{what}");
}

#[test]
fn tasks_run_beside_callbacks_and_their_panics_are_their_own() {
    let tasks = Tasks::start();
    let mut ws = tasks.client();
    expect(&mut ws, "join four", "Ok(4)");
    expect(&mut ws, "panic", "the task panicked: a task's own");
    expect(&mut ws, "sleep", "true");
    assert_eq!(TaskError::Cancelled.to_string(), "the task was cancelled");
}

#[test]
fn a_session_that_ends_takes_its_tasks_along() {
    let tasks = Tasks::start();
    let mut ws = tasks.client();
    expect(&mut ws, "keep", "kept");
    expect(&mut ws, "cancel", "cancelled");
    assert_eq!(tasks.next(), "the session's own");
    expect(&mut ws, "keep", "kept");
    assert!(tasks.log.is_empty());
    ws.close();
    assert_eq!(tasks.next(), "the session's own");
}

#[test]
fn a_detached_task_sends_until_the_shard_ends_and_is_then_let_go_of() {
    let mut tasks = Tasks::start();
    let mut ws = tasks.client();
    expect(&mut ws, "detach", "detached");
    for n in 0..3 {
        assert_eq!(ws.expect_text(), format!("tick {n}"));
    }
    let count = |tasks: &Tasks| {
        let snapshot = tasks.server.handle().snapshot().wait();
        let shards = snapshot.expect("it runs").shards;
        shards.iter().map(|shard| shard.tasks).sum::<usize>()
    };
    assert_eq!(count(&tasks), 1);
    tasks.server.stop();
    assert_eq!(ws.expect_text(), "farewell"); // sent by a task that on_stop has awaited
    assert!(matches!(ws.next(), Incoming::Close(Some(_))));
    drop(ws);
    tasks.server.end();
    assert_eq!(tasks.log.try_recv(), Ok("the detached one"));
}

#[test]
fn tokio_runs_what_needs_it_from_the_start_on() {
    let tasks = Tasks::start();
    let mut ws = tasks.client();
    expect(&mut ws, "started", "blocking");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it is called");
        let mut said = [0; 5];
        stream.read_exact(&mut said).expect("it says hello");
        stream.write_all(&said).expect("it listens");
    });
    expect(&mut ws, &format!("fetch {address}"), "hello");
    peer.join().unwrap();
    expect(&mut ws, "tokio-panic", "the work panicked: over there");
    expect(&mut ws, "drop", "dropped");
    assert_eq!(tasks.next(), "the future", "dropped at its next await");
}

#[test]
fn what_blocks_stops_neither_its_shard_nor_the_runtime() {
    let tasks = Tasks::start();
    let mut blocked: Vec<_> = (0..4).map(|_| tasks.client()).collect();
    for ws in &mut blocked {
        ws.send_text("block");
    }
    let mut others: Vec<_> = (0..4).map(|_| tasks.client()).collect();
    for ws in &mut others {
        expect(ws, "sleep", "true");
        expect(ws, "tokio-panic", "the work panicked: over there");
    }
    for _ in 0..4 {
        tasks.release.send(()).expect("they wait");
    }
    for ws in &mut blocked {
        assert_eq!(ws.expect_text(), "blocking", "the name of the thread");
    }
    expect(&mut others[0], "block-dropped", "dropped");
    assert!(tasks.log.is_empty());
    tasks.release.send(()).expect("it waits all the same");
    assert_eq!(tasks.next(), "the closure");
}
