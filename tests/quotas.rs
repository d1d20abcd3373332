//! What an app may use (section 10): limits, rates and places, and whose pages may connect.
//!
//! Every limit is met at the limit and one past it, over real sockets and both shards. Limits of
//! connections and requests that are the same for all apps have a program of their own.

mod support;

#[path = "quotas/origins.rs"]
mod origins;
#[path = "quotas/places.rs"]
mod places;
#[path = "quotas/rates.rs"]
mod rates;
#[path = "quotas/refusals.rs"]
mod refusals;
#[path = "quotas/sizes.rs"]
mod sizes;
