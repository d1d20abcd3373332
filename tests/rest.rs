//! The REST API over real sockets: who may ask, what is answered, and what subscribers get.
//!
//! Rule ids are those of the protocol reference (`R13`, `S15`, `A10`). HTTP itself has a program of
//! its own.

mod support;

#[path = "rest/ask.rs"]
mod ask;
#[path = "rest/guard.rs"]
mod guard;
#[path = "rest/info.rs"]
mod info;
#[path = "rest/order.rs"]
mod order;
#[path = "rest/plain.rs"]
mod plain;
#[path = "rest/publish.rs"]
mod publish;
#[path = "rest/signed.rs"]
mod signed;
