//! What a shard knows of its connections, without their sockets: slots and generations, frames
//! on their way out, deadlines, and the list of those that have something to write.

pub mod addresses;
pub mod connection;
pub mod extra;
pub mod life;
pub mod outbox;
pub mod pace;
pub mod table;
pub mod tally;
pub mod turn;
pub mod waiters;

pub use addresses::{Addresses, Origin};
pub use connection::Connection;
pub use life::{Life, Overdue, Stage, Timing};
pub use outbox::Outbox;
pub use pace::Pace;
pub use table::{Outgoing, PushError, Table};
pub use tally::{Tally, Vitals};
pub use turn::Turn;
pub use waiters::Waiters;
