//! Requests and responses as a handler of web pages uses them, on both shards.

use crate::support::http::{Http, Response as Answer, request};
use crate::support::server::{TestServer, config};
use serde::{Deserialize, Serialize};
use shardcast::handler::{
    Client, Endpoint, Error, Handler, Handshake, Message, Request, Result, Router,
};
use shardcast::http::{Cookie, Response, SameSite};
use shardcast::server::Server;
use std::collections::BTreeMap;

/// A shop: who comes in is told by a cookie, orders are forms or JSON.
struct Shop {
    endpoint: Endpoint,
}

#[derive(Debug, Deserialize, Serialize)]
struct Order {
    what: String,
    count: u8,
}

impl Shop {
    fn answer(&self, request: &Request<'_>) -> Result<Response> {
        let page = request.param_decoded("page").ok_or("no such page")?;
        match &*page {
            "look" => {
                let seen: Vec<_> = request.query_pairs().collect();
                let cookies: Vec<_> = request.cookies().collect();
                let found = (request.query_param("q"), request.cookie("id"));
                Ok(Response::json_of(&(seen, found, cookies))?)
            }
            "order form" => {
                let fields: BTreeMap<_, _> = match request.form() {
                    Ok(fields) => fields.collect(),
                    Err(error) => return Ok(error.response()),
                };
                Ok(Response::json_of(&fields)?.with_status(201))
            }
            "order" => match request.json::<Order>() {
                Ok(order) => Ok(Response::json_of(&order)?.with_status(201)),
                Err(error) => Ok(error.response()),
            },
            "enter" => {
                let name = request.query_param("name").ok_or("no name")?;
                let id = Cookie::new("id", name)?.with_path("/")?.with_http_only();
                let theme = Cookie::new("theme", "dark")?
                    .with_max_age_s(60)
                    .with_same_site(SameSite::Lax);
                let to = request.query_param("to").ok_or("no place to go")?;
                let response = Response::redirect(303, to.into_owned())?;
                Ok(response.with_cookie(id).with_cookie(theme))
            }
            other => Ok(Response::text(404, format!("no {other}\n"))),
        }
    }
}

impl Handler for Shop {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::reject(Response::empty(403)))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        let refuse = |error: Error| Response::text(400, format!("{error}\n"));
        let response = self.answer(&request).unwrap_or_else(refuse);
        response
            .try_header("X-Shard", self.endpoint.shard().to_string())
            .expect("a number is a fine value")
    }
}

/// A server of two shards, and a connection to each.
fn shop() -> (TestServer, [Http; 2]) {
    let routes = |router: &mut Router| router.mount("/shop/{page}", |endpoint| Shop { endpoint });
    let server = TestServer::build(Server::builder().config(config([])).routes(routes));
    let both = ["0", "1"].map(|shard| {
        Http::connect_on(server.address(), "/shop/none", |answer| {
            assert_eq!((answer.status, answer.text()), (404, "no none\n"));
            answer.header("x-shard") == Some(shard)
        })
    });
    (server, both)
}

/// Asks on one connection; the shard that answers is the one it went to.
fn ask(shard: usize, http: &mut Http, target: &str, fields: &[&str], body: &[u8]) -> Answer {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let answer = http.send(request(method, target, fields, body));
    assert_eq!(answer.header("x-shard"), Some(&*shard.to_string()));
    answer
}

#[test]
fn a_handler_reads_query_path_and_cookies() {
    let (_server, connections) = shop();
    for (shard, mut http) in connections.into_iter().enumerate() {
        let target = "/shop/%6Cook?a=1&q=x+y%2B&q=%C3%BC&flag";
        let fields = [
            "Cookie: theme=dark; broken; id=ann",
            "X: y",
            "cookie: id=ben",
        ];
        let answer = ask(shard, &mut http, target, &fields, b"");
        let wanted = concat!(
            r#"[[["a","1"],["q","x y+"],["q","ü"],["flag",""]],["x y+","ann"],"#,
            r#"[["theme","dark"],["id","ann"],["id","ben"]]]"#
        );
        assert_eq!((answer.status, answer.text()), (200, wanted));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let answer = ask(shard, &mut http, "/shop/look", &["Cookie: =;;"], b"");
        assert_eq!(answer.text(), "[[],[null,null],[]]");
        let answer = ask(shard, &mut http, "/shop/%FF", &[], b"");
        assert_eq!((answer.status, answer.text()), (400, "no such page\n"));
    }
}

#[test]
fn a_handler_reads_forms_and_json_or_refuses_them() {
    let form = "Content-Type: application/x-www-form-urlencoded";
    let json = "Content-Type: application/json; charset=utf-8";
    let table: &[(&str, &str, &[u8], u16, &str)] = &[
        (
            "/shop/order%20form",
            form,
            b"what=green+tea&count=2%2B",
            201,
            r#"{"count":"2+","what":"green tea"}"#,
        ),
        (
            "/shop/order%20form",
            form,
            b"what=100%",
            400,
            "the form has a % without two hexadecimal digits at byte 8\n",
        ),
        (
            "/shop/order%20form",
            form,
            b"what=%FF",
            400,
            "the form is not UTF-8\n",
        ),
        (
            "/shop/order%20form",
            json,
            b"what=tea",
            415,
            "the body must be of type application/x-www-form-urlencoded\n",
        ),
        (
            "/shop/order",
            json,
            br#"{"what":"tea","count":2}"#,
            201,
            r#"{"what":"tea","count":2}"#,
        ),
        (
            "/shop/order",
            json,
            br#"{"what":"tea"}"#,
            400,
            "the body is not the JSON that is expected: \
             missing field `count` at line 1 column 14\n",
        ),
        (
            "/shop/order",
            "Content-Type: text/plain",
            br#"{"what":"tea","count":2}"#,
            415,
            "the body must be of type application/json\n",
        ),
    ];
    let (_server, connections) = shop();
    for (shard, mut http) in connections.into_iter().enumerate() {
        for (target, field, body, status, wanted) in table {
            let answer = ask(shard, &mut http, target, &[field], body);
            assert_eq!((answer.status, answer.text()), (*status, *wanted));
        }
    }
}

#[test]
fn a_handler_redirects_and_sets_cookies() {
    let (_server, connections) = shop();
    for (shard, mut http) in connections.into_iter().enumerate() {
        let target = "/shop/enter?name=ann&to=/shop/look";
        let answer = ask(shard, &mut http, target, &[], b"");
        assert_eq!(answer.status, 303);
        assert_eq!(answer.header("location"), Some("/shop/look"));
        let set = |answer: &Answer| {
            let all = answer.headers.clone().into_iter();
            let set = all.filter(|(name, _)| name == "Set-Cookie");
            set.map(|(_, value)| value).collect::<Vec<_>>()
        };
        let wanted = [
            "id=ann; Path=/; HttpOnly",
            "theme=dark; Max-Age=60; SameSite=Lax",
        ];
        assert_eq!(set(&answer), wanted);

        // What a client sends cannot become a field or an attribute of its own.
        for (target, why) in [
            ("name=a%3B+Domain%3Dx&to=/", "a cookie's value must be"),
            ("name=a%0D%0AX:+y&to=/", "a cookie's value must be"),
            ("name=a&to=/%0D%0AX:+y", "a header value must not hold"),
        ] {
            let target = format!("/shop/enter?{target}");
            let answer = ask(shard, &mut http, &target, &[], b"");
            assert_eq!(answer.status, 400, "{target}");
            assert!(answer.text().starts_with(why), "{}", answer.text());
            assert!(set(&answer).is_empty() && answer.header("location").is_none());
        }
    }
}
