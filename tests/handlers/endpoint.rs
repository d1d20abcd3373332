//! Sending and closing through the endpoint, on this shard and on others.

use crate::chat::{ChatServer, ask, expect_alive};

#[test]
fn a_broadcast_reaches_every_client_of_the_route_on_all_shards() {
    let chat = ChatServer::start();
    let mut clients: Vec<_> = (0..6)
        .map(|n| chat.client_on(n % 2, &format!("c{n}")))
        .collect();
    let (mut stranger, _) = chat.open("/other/stranger");
    for from in 0..2 {
        clients[from].send_text(format!("broadcast from {from}"));
        for ws in &mut clients {
            assert_eq!(ws.expect_text(), format!("from {from}"));
        }
    }
    expect_alive(&mut stranger); // it heard nothing: that is another route
    for ws in &mut clients {
        expect_alive(ws); // once each
    }
}

#[test]
fn a_prepared_message_goes_to_the_clients_of_one_shard() {
    let chat = ChatServer::start();
    let mut near = [chat.client_on(0, "a"), chat.client_on(0, "b")];
    let mut far = chat.client_on(1, "c");
    near[0].send_text("here hello");
    for ws in &mut near {
        assert_eq!(ws.expect_text(), "hello");
    }
    assert_eq!(near[0].expect_text(), "2");
    expect_alive(&mut far);
}

#[test]
fn a_broadcast_of_bytes_is_binary_and_may_leave_out_clients_of_any_shard() {
    let chat = ChatServer::start();
    let mut clients: Vec<_> = (0..6)
        .map(|n| chat.client_on(n % 2, &format!("c{n}")))
        .collect();
    clients[0].send_text("bytes \u{2603}");
    for ws in &mut clients {
        assert_eq!(ws.expect_binary(), "\u{2603}".as_bytes());
    }
    for left_out in [2, 3] {
        clients[left_out].send_text("offer");
        expect_alive(&mut clients[left_out]);
    }
    clients[0].send_text("others hello");
    for ws in [1, 4, 5] {
        assert_eq!(clients[ws].expect_text(), "hello");
    }
    for ws in &mut clients {
        expect_alive(ws); // nobody else, and nobody twice
    }
}

#[test]
fn a_multicast_reaches_those_who_are_named_on_all_shards() {
    let chat = ChatServer::start();
    let mut clients: Vec<_> = (0..6)
        .map(|n| chat.client_on(n % 2, &format!("c{n}")))
        .collect();
    for ws in &mut clients[2..] {
        ws.send_text("offer");
        expect_alive(ws);
    }
    clients.pop().expect("six have come").close(); // it is passed over, there or on the way
    assert_eq!(ask(&mut clients[0], "offered hello"), "sent");
    for ws in &mut clients[2..] {
        assert_eq!(ws.expect_binary(), b"hello");
    }
    for ws in &mut clients {
        expect_alive(ws);
    }
}

#[test]
fn the_clients_of_a_route_are_known_on_all_shards() {
    let chat = ChatServer::start();
    let mut clients: Vec<_> = (0..5)
        .map(|n| chat.client_on(n % 2, &format!("c{n}")))
        .collect();
    let (mut stranger, _) = chat.open("/other/stranger");
    for asks in 0..2 {
        clients[asks].send_text("roll hello");
        for ws in &mut clients {
            assert_eq!(ws.expect_text(), "hello");
        }
        assert_eq!(clients[asks].expect_text(), "5");
    }
    expect_alive(&mut stranger); // of another route
}

#[test]
fn one_client_is_reached_from_any_shard() {
    let chat = ChatServer::start();
    let mut clients = [chat.client_on(0, "ann"), chat.client_on(1, "ben")];
    for (to, from) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        clients[to].send_text("offer");
        expect_alive(&mut clients[to]); // it has been offered
        clients[from].send_text(format!("send from {from}"));
        if to == from {
            assert_eq!(clients[to].expect_text(), format!("from {from}"));
            assert_eq!(clients[from].expect_text(), "Ok(())");
        } else {
            assert_eq!(clients[from].expect_text(), "Ok(())");
            assert_eq!(clients[to].expect_text(), format!("from {from}"));
        }
    }
}

#[test]
fn a_client_is_closed_from_any_shard() {
    let chat = ChatServer::start();
    for (shard, name) in [(0, "near"), (1, "far")] {
        let mut victim = chat.client_on(shard, name);
        let mut beside = chat.client_on(shard, "beside");
        let mut closer = chat.client_on(0, "closer");
        victim.send_text("offer");
        expect_alive(&mut victim);
        assert_eq!(ask(&mut closer, "kick out you go"), "kicked");
        assert_eq!(victim.expect_close(4999), "out you go");
        let lines = [
            "message offer",
            "done offer",
            "message echo alive",
            "done echo",
        ];
        chat.expect_lines(name, &lines);
        chat.expect_lines(name, &["close 4999 by us"]);
        expect_alive(&mut beside);
        expect_alive(&mut closer);
    }
}

#[test]
fn the_id_of_a_client_that_is_gone_reaches_nobody() {
    let chat = ChatServer::start();
    let mut sender = chat.client_on(0, "sender");
    let mut witness = chat.client_on(1, "witness");
    for (shard, outcome) in [(0, "Err(Gone)"), (1, "Ok(())")] {
        let name = format!("gone-{shard}");
        let mut gone = chat.client_on(shard, &name);
        gone.send_text("offer");
        gone.send_text("offer");
        expect_alive(&mut gone);
        gone.close();
        while !chat.next_of(&name).starts_with("close") {}
        // Whoever has its place now is not meant. From another shard that is known only there.
        let mut heirs: Vec<_> = (0..3).map(|_| chat.client_on(shard, "heir")).collect();
        assert_eq!(ask(&mut sender, "send hello?"), outcome);
        assert_eq!(ask(&mut sender, "kick hello?"), "kicked");
        sender.send_text("broadcast mark"); // behind both, on the same way
        for ws in heirs.iter_mut().chain([&mut sender, &mut witness]) {
            assert_eq!(ws.expect_text(), "mark");
        }
    }
}

#[test]
fn a_client_that_leaves_the_route_is_no_longer_counted() {
    let chat = ChatServer::start();
    let mut stays = chat.client_on(0, "stays");
    let goes = chat.client_on(0, "goes");
    goes.close();
    while !chat.next().starts_with("close goes 1000") {}
    // The last callback is over, or about to be: the count is of those that are left.
    let count = (0..1000).any(|_| {
        stays.send_text("here x");
        assert_eq!(stays.expect_text(), "x");
        stays.expect_text() == "1"
    });
    assert!(count);
}
