//! What a producer has kept of an answer that is over does nothing to the next one.

use crate::router::{both, mount_shard, serve};
use shardcast::handler::Request;
use shardcast::http::Response;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

type Kept = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

/// Keeps what tells of the stop.
fn first(kept: &Kept) -> Response {
    let kept = Rc::clone(kept);
    Response::stream_sized("text/plain", 3, async move |body| {
        *kept.borrow_mut() = Some(Box::pin(body.stopping()));
        Ok(body.write("one").await?)
    })
}

/// Lets go of it in its midst.
fn second(kept: &Kept) -> Response {
    let kept = Rc::clone(kept);
    Response::stream_sized("text/plain", 8, async move |body| {
        body.write("two").await?;
        drop(kept.take().expect("the first has kept it"));
        Ok(body.write("three").await?)
    })
}

#[test]
fn what_is_kept_of_one_answer_does_not_break_off_the_next() {
    let server = serve(|router| {
        mount_shard(router);
        let kept = Kept::default();
        let other = Rc::clone(&kept);
        router.get("/first", async move |_: Request<'_>| first(&kept));
        router.get("/second", async move |_: Request<'_>| second(&other));
    });
    for mut http in both(&server) {
        for _ in 0..2 {
            assert_eq!(http.ask("GET", "/first", b"").text(), "one");
            assert_eq!(http.ask("GET", "/second", b"").text(), "twothree");
        }
    }
}
