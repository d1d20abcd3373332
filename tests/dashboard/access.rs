//! Who may see the dashboard, and use it.

use super::support::http::{Http, request};
use super::support::metrics::{get, get_with};
use super::support::server::{TestServer, app, config};
use super::support::wire::Wire;
use super::{JSON, Page, admin, expect_known, post};
use serde_json::json;
use shardcast::limits::{ADMIN_CONNECTIONS_MAX, DASHBOARD_PAGES_MAX, LOGIN_FAILURES_PER_MINUTE};
use shardcast::server::config::Config;
use std::time::{Duration, Instant};

#[test]
fn without_a_token_only_pages_of_ours_on_this_machine_are_served() {
    let server = TestServer::plain();
    let admin = admin(&server);
    let asked = |method: &str, path: &str, fields: &str, body: &str| {
        let length = body.len();
        let text =
            format!("{method} {path} HTTP/1.1\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
        Http::connect(admin).send(text).status
    };
    let state = "/dashboard/api/state";
    for host in ["127.0.0.1", "localhost:9601", "[::1]:9601"] {
        assert_eq!(
            asked("GET", state, &format!("Host: {host}\r\n"), ""),
            200,
            "{host}"
        );
    }
    // A name of somebody else's that was made to lead here.
    for host in ["evil.example", "127.0.0.1.evil.example:9601", "10.1.2.3"] {
        for path in [state, "/dashboard", "/metrics", "/usage"] {
            assert_eq!(
                asked("GET", path, &format!("Host: {host}\r\n"), ""),
                403,
                "{host}"
            );
        }
    }
    let here = "Host: localhost:9601\r\n";
    for path in [state, "/dashboard", "/metrics", "/usage"] {
        // A proxy on this machine would let everybody in.
        for field in [
            "Forwarded: for=10.1.2.3",
            "X-Forwarded-For: 10.1.2.3",
            "Via: 1.1 p",
        ] {
            let fields = format!("{here}{field}\r\n");
            assert_eq!(asked("GET", path, &fields, ""), 403, "{path} {field}");
        }
        assert_eq!(asked("GET", path, here, ""), 200, "{path}");
    }
    for site in ["cross-site", "same-site"] {
        let fields = format!("{here}Sec-Fetch-Site: {site}\r\n");
        for path in [state, "/dashboard/api/stream"] {
            assert_eq!(asked("GET", path, &fields, ""), 403, "{path} {site}");
        }
        assert_eq!(asked("GET", "/dashboard", &fields, ""), 200, "a link");
    }
    let event = json!({"app": "1001", "channel": "c", "event": "e", "data": ""}).to_string();
    let publish = |fields: &str| {
        let fields = format!("Host: localhost:9601\r\n{fields}");
        asked("POST", "/dashboard/api/event", &fields, &event)
    };
    let json = "Content-Type: application/json\r\n";
    assert_eq!(publish(json), 200);
    let own = "Origin: http://localhost:9601\r\nSec-Fetch-Site: same-origin\r\n";
    assert_eq!(publish(&format!("{json}{own}")), 200);
    for foreign in [
        "Origin: http://evil.example\r\n",
        "Origin: http://localhost:8080\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        assert_eq!(publish(&format!("{json}{foreign}")), 403, "{foreign}");
    }
    // What a form of any page can send.
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ] {
        assert_eq!(publish(&format!("Content-Type: {kind}\r\n")), 415, "{kind}");
    }
    assert_eq!(publish(""), 415);
}

#[test]
fn with_a_token_who_logs_in_is_served() {
    // R46
    let server = TestServer::start(Config {
        admin_host: "0.0.0.0".parse().unwrap(),
        admin_token: Some("canary-token".into()),
        ..config([app()])
    });
    let admin = admin(&server);
    assert_eq!(get(admin, "/dashboard").status, 200, "with nothing on it");
    let state = "/dashboard/api/state";
    let event = json!({"app": "1001", "channel": "c", "event": "e", "data": ""});
    let publish = |fields: &[&str]| {
        post(
            admin,
            "/dashboard/api/event",
            &[&[JSON], fields].concat(),
            &event,
        )
        .status
    };
    for path in [
        state,
        "/dashboard/api/history?app=1001",
        "/dashboard/api/stream?app=1001",
    ] {
        assert_eq!(get(admin, path).status, 401, "{path}");
    }
    assert_eq!(publish(&[]), 401);
    // A program shows the token itself.
    let bearer = "Authorization: Bearer canary-token";
    assert_eq!(get_with(admin, state, &[bearer]).status, 200);
    expect_known(admin, &[bearer]);
    assert_eq!(publish(&[bearer]), 200);
    assert_eq!(publish(&["Authorization: Bearer canary"]), 401);
    // A browser exchanges it for a cookie that no script and no other site sees.
    let log_in = |token: &str| post(admin, "/dashboard/login", &[JSON], &json!({"token": token}));
    let refused = log_in("canary");
    assert_eq!((refused.status, refused.header("set-cookie")), (401, None));
    let response = log_in("canary-token");
    assert_eq!(response.status, 200);
    let cookie = response.header("set-cookie").unwrap();
    for attribute in [
        "HttpOnly",
        "SameSite=Strict",
        "Path=/dashboard",
        "Max-Age=43200",
    ] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("canary"), "{cookie}");
    let (value, _) = cookie.split_once(';').unwrap();
    let cookie = format!("Cookie: a=b; {value}");
    assert_eq!(get_with(admin, state, &[&cookie]).status, 200);
    assert_eq!(publish(&[&cookie]), 200);
    assert_eq!(publish(&[&cookie, "Origin: http://evil.example"]), 403);
    Page::open(admin, &[&cookie]).next("sample");
    for other in [format!("{cookie}0"), "Cookie: shardcast_admin=1.00".into()] {
        assert_eq!(get_with(admin, state, &[&other]).status, 401, "{other}");
    }
    // The cookie is for pages, and not for what programs ask for.
    assert_eq!(get_with(admin, "/metrics", &[&cookie]).status, 401);
}

#[test]
fn who_logs_out_ends_all_logins_and_their_pages() {
    // R46
    let server = TestServer::start(Config {
        admin_token: Some("canary-token".into()),
        ..config([app()])
    });
    let admin = admin(&server);
    let log_in = || {
        let response = post(
            admin,
            "/dashboard/login",
            &[JSON],
            &json!({"token": "canary-token"}),
        );
        let cookie = response.header("set-cookie").unwrap();
        format!("Cookie: {}", cookie.split_once(';').unwrap().0)
    };
    let log_out = |fields: &[&str]| {
        let fields = [&[JSON], fields].concat();
        let response = post(admin, "/dashboard/logout", &fields, &json!({}));
        assert!(response.header("set-cookie").unwrap().contains("Max-Age=0"));
    };
    let state = |field: &str| get_with(admin, "/dashboard/api/state", &[field]).status;
    let bearer = "Authorization: Bearer canary-token";
    let cookies = [log_in(), log_in()];
    let mut pages = [&cookies[0], &cookies[1], bearer].map(|it| Page::open(admin, &[it]));
    // Whoever is not logged in ends nothing.
    log_out(&[]);
    log_out(&["Cookie: shardcast_admin=1.00"]);
    for page in &mut pages {
        page.next("sample");
    }
    assert_eq!([state(&cookies[0]), state(&cookies[1])], [200, 200]);
    log_out(&[&cookies[0]]);
    assert_eq!([state(&cookies[0]), state(&cookies[1])], [401, 401]);
    let [first, second, program] = &mut pages;
    assert!(first.ends() && second.ends());
    for _ in 0..3 {
        program.next("sample");
    }
    assert_eq!((state(bearer), state(&log_in())), (200, 200));
}

#[test]
fn who_asks_for_the_head_of_the_stream_takes_no_place() {
    let server = TestServer::plain();
    let admin = admin(&server);
    expect_known(admin, &[]);
    for _ in 0..=DASHBOARD_PAGES_MAX {
        let mut wire = Wire::connect(admin);
        let path = "/dashboard/api/stream?app=1001";
        wire.send(request("HEAD", path, &[], b""));
        let head = String::from_utf8(wire.take_to(b"\r\n\r\n")).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(
            head.contains("Content-Type: text/event-stream\r\n"),
            "{head}"
        );
        wire.expect_end();
    }
    Page::open(admin, &[]).next("sample");
}

#[test]
fn tokens_are_not_guessed() {
    // R26
    let server = TestServer::start(Config {
        admin_token: Some("canary-token".into()),
        ..config([app()])
    });
    let admin = admin(&server);
    let log_in = |token: &str| post(admin, "/dashboard/login", &[JSON], &json!({"token": token}));
    for _ in 0..LOGIN_FAILURES_PER_MINUTE {
        assert_eq!(log_in("canary").status, 401);
    }
    let refused = log_in("canary");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("60"))
    );
    assert_eq!(
        log_in("canary-token").status,
        200,
        "who has it is not kept out"
    );
    // The same budget holds where programs show a token; who shows none is not counted.
    let wrong = "Authorization: Bearer canary";
    for path in ["/metrics", "/usage", "/dashboard/api/state"] {
        assert_eq!(get(admin, path).status, 401, "{path}");
        assert_eq!(get_with(admin, path, &[wrong]).status, 429, "{path}");
    }
    let level = json!({"level": "info"});
    assert_eq!(
        post(admin, "/log-level", &[JSON, wrong], &level).status,
        429
    );
    let right = "Authorization: Bearer canary-token";
    let metrics = get_with(admin, "/metrics", &[right]);
    assert_eq!(metrics.status, 200);
    let counted = LOGIN_FAILURES_PER_MINUTE + 5;
    let line = format!("soketi_admin_wrong_tokens_total {counted}\n");
    assert!(metrics.text().contains(&line), "{}", metrics.text());
}

#[test]
fn open_pages_are_bounded_and_keep_nobody_from_the_metrics() {
    let server = TestServer::plain();
    let admin = admin(&server);
    let mut pages: Vec<Page> = (0..DASHBOARD_PAGES_MAX)
        .map(|_| Page::open(admin, &[]))
        .collect();
    const { assert!(DASHBOARD_PAGES_MAX >= ADMIN_CONNECTIONS_MAX) };
    assert_eq!(get(admin, "/metrics").status, 200);
    let path = "/dashboard/api/stream?app=1001";
    assert_eq!(get(admin, path).status, 503);
    for page in &mut pages {
        page.next("sample");
    }
    pages.pop();
    let start = Instant::now();
    loop {
        let mut wire = Wire::connect(admin);
        wire.send(request("GET", path, &[], b""));
        let head = String::from_utf8(wire.take_to(b"\r\n\r\n")).unwrap();
        if head.starts_with("HTTP/1.1 200 ") {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the place stays taken"
        );
    }
    // Open pages do not hold up the end.
    drop(server);
}
