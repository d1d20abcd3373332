//! TLS on the shards: what is spoken, what is shown, what is refused, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;
mod support;

#[path = "tls/admission.rs"]
mod admission;
#[path = "tls/closing.rs"]
mod closing;
#[path = "tls/hello.rs"]
mod hello;
#[path = "tls/only.rs"]
mod only;
#[path = "tls/operation.rs"]
mod operation;
#[path = "tls/pki.rs"]
mod pki;
#[path = "tls/reload.rs"]
mod reload;
#[path = "tls/speech.rs"]
mod speech;
