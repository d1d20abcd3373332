//! What an app's home decides about requests of its backends: rates, and requests that come again
//! (section 8.2, rows 8 and 10). One place decides for all shards, so it is exact.

use super::quota::Bucket;
use crate::app::App;
use crate::id::AppSlot;
use crate::limits::{SIGNATURES_KEPT, SIGNATURES_KEPT_LONGER_S};
use hashbrown::HashSet;
use std::collections::BTreeMap;

/// A request that wants to be carried out.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Whose backend sent it.
    pub app: AppSlot,
    /// When it came, by the clock of all shards.
    pub now_ms: u64,
    /// Which rate counts it, and how often.
    pub rated: Option<(Rated, u32)>,
    /// What tells it from others, when it must not come twice.
    pub proof: Option<Proof>,
}

/// The rates of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rated {
    /// `backend_events_per_second`.
    Events,
    /// `read_requests_per_second`.
    Reads,
}

/// A signature, for as long as it is good.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// Half of the signature: 128 bits that nobody can choose.
    pub signature: u128,
    /// The first second in which its time stamp is too old.
    pub expires_s: u64,
    /// The second it came in.
    pub now_s: u64,
}

/// What the home says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// Carry it out.
    Yes {
        /// What is left of the rate, where there is one.
        left: Option<u32>,
    },
    /// The rate is used up.
    TooMany {
        /// What is left: less than was asked for.
        left: u32,
        /// When to come again, in milliseconds.
        wait_ms: u64,
    },
    /// This very request was carried out before.
    Again,
    /// It got too old on its way here.
    TooOld,
    /// No more signatures can be remembered before the oldest are too old.
    NoMemory {
        /// When that is, in seconds.
        wait_s: u64,
    },
}

impl Rated {
    /// The app's limit, if it has one.
    #[must_use]
    pub fn limit(self, app: &App) -> Option<u32> {
        match self {
            Self::Events => app.backend_events_per_second,
            Self::Reads => app.read_requests_per_second,
        }
    }
}

/// What this shard keeps for the apps that it is home of.
#[derive(Debug, Default)]
pub(super) struct Gates {
    /// By app: events, then reads.
    buckets: Vec<[Bucket; 2]>,
    signatures: Signatures,
}

impl Gates {
    /// Decides. Only what may be carried out is counted and remembered, so that a request that
    /// came too early can be sent again as it is.
    pub(super) fn pass(&mut self, pass: &Pass, app: &App) -> Passed {
        if let Some(proof) = &pass.proof
            && let Err(refused) = self.signatures.check(proof, SIGNATURES_KEPT)
        {
            return refused;
        }
        let left = match self.count(pass, app) {
            Ok(left) => left,
            Err(refused) => return refused,
        };
        if let Some(proof) = &pass.proof {
            self.signatures.keep(proof);
        }
        Passed::Yes { left }
    }

    fn count(&mut self, pass: &Pass, app: &App) -> Result<Option<u32>, Passed> {
        let Some((rated, tokens)) = pass.rated else {
            return Ok(None);
        };
        let Some(rate) = rated.limit(app) else {
            return Ok(None);
        };
        let at = pass.app.index();
        if self.buckets.len() <= at {
            self.buckets.resize(at + 1, Default::default());
        }
        let bucket = &mut self.buckets[at][rated as usize];
        if bucket.take_many(pass.now_ms, rate, tokens) {
            return Ok(Some(bucket.left(rate)));
        }
        Err(Passed::TooMany {
            left: bucket.left(rate),
            wait_ms: bucket.wait_ms(rate, tokens),
        })
    }
}

/// Signatures that were carried out, until they are too old to be believed anyway.
#[derive(Debug, Default)]
struct Signatures {
    known: HashSet<u128>,
    by_expiry: BTreeMap<u64, Vec<u128>>,
}

impl Signatures {
    fn check(&mut self, proof: &Proof, most: usize) -> Result<(), Passed> {
        if proof.expires_s <= proof.now_s {
            return Err(Passed::TooOld);
        }
        while let Some(entry) = self.by_expiry.first_entry()
            && entry.key().saturating_add(SIGNATURES_KEPT_LONGER_S) <= proof.now_s
        {
            for signature in entry.remove() {
                self.known.remove(&signature);
            }
        }
        if self.known.contains(&proof.signature) {
            return Err(Passed::Again);
        }
        if self.known.len() >= most {
            let first = self.by_expiry.keys().next().copied().unwrap_or_default();
            let wait_s = (first + SIGNATURES_KEPT_LONGER_S).saturating_sub(proof.now_s);
            return Err(Passed::NoMemory { wait_s });
        }
        Ok(())
    }

    fn keep(&mut self, proof: &Proof) {
        self.known.insert(proof.signature);
        let same = self.by_expiry.entry(proof.expires_s).or_default();
        same.push(proof.signature);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(signature: u128, expires_s: u64, now_s: u64) -> Proof {
        Proof {
            signature,
            expires_s,
            now_s,
        }
    }

    #[test]
    fn each_rate_of_each_app_is_its_own() {
        let mut app = App::new("1", "key", "secret");
        app.backend_events_per_second = Some(5);
        app.read_requests_per_second = Some(1);
        let mut gates = Gates::default();
        let mut pass = |slot, rated, tokens, now_ms| {
            let pass = Pass {
                app: AppSlot(slot),
                now_ms,
                rated: Some((rated, tokens)),
                proof: None,
            };
            gates.pass(&pass, &app)
        };
        assert_eq!(pass(3, Rated::Events, 5, 0), Passed::Yes { left: Some(0) });
        let refused = Passed::TooMany {
            left: 0,
            wait_ms: 200,
        };
        assert_eq!(pass(3, Rated::Events, 1, 0), refused);
        assert_eq!(pass(3, Rated::Reads, 1, 0), Passed::Yes { left: Some(0) });
        assert_eq!(pass(0, Rated::Events, 1, 0), Passed::Yes { left: Some(4) });
        assert_eq!(
            pass(3, Rated::Events, 1, 200),
            Passed::Yes { left: Some(0) }
        );
    }

    #[test]
    fn a_signature_is_known_until_it_is_too_old() {
        let mut signatures = Signatures::default();
        let first = proof(7, 700, 100);
        assert_eq!(signatures.check(&first, 9), Ok(()));
        signatures.keep(&first);
        assert_eq!(signatures.check(&proof(7, 700, 699), 9), Err(Passed::Again));
        assert_eq!(signatures.check(&proof(8, 701, 699), 9), Ok(()));
        assert_eq!(
            signatures.check(&proof(7, 700, 700), 9),
            Err(Passed::TooOld)
        );
        // What another shard sent a moment ago may arrive behind what was sent now.
        let last = 700 + SIGNATURES_KEPT_LONGER_S;
        assert_eq!(signatures.check(&proof(8, 800, last - 1), 9), Ok(()));
        assert_eq!(signatures.check(&proof(7, 700, 699), 9), Err(Passed::Again));
        assert_eq!(signatures.check(&proof(8, 800, last), 9), Ok(()));
        assert!(signatures.known.is_empty() && signatures.by_expiry.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_forgotten_too_early() {
        const MOST: usize = 3;
        let mut signatures = Signatures::default();
        for n in 0..MOST as u128 {
            let next = proof(n, 700 + n as u64, 100);
            assert_eq!(signatures.check(&next, MOST), Ok(()));
            signatures.keep(&next);
        }
        let full = signatures.check(&proof(9, 800, 650), MOST);
        let wait_s = 50 + SIGNATURES_KEPT_LONGER_S;
        assert_eq!(full, Err(Passed::NoMemory { wait_s }));
        assert_eq!(
            signatures.check(&proof(0, 700, 650), MOST),
            Err(Passed::Again)
        );
        let next = proof(9, 800, 650 + wait_s);
        assert_eq!(signatures.check(&next, MOST), Ok(()));
    }

    #[test]
    fn what_came_too_early_may_come_again() {
        let mut app = App::new("1", "key", "secret");
        app.backend_events_per_second = Some(1);
        let mut gates = Gates::default();
        let pass = |signature, now_ms| Pass {
            app: AppSlot(0),
            now_ms,
            rated: Some((Rated::Events, 1)),
            proof: Some(proof(signature, 700, 100)),
        };
        assert_eq!(gates.pass(&pass(1, 0), &app), Passed::Yes { left: Some(0) });
        let refused = gates.pass(&pass(2, 0), &app);
        assert!(matches!(refused, Passed::TooMany { .. }));
        assert_eq!(
            gates.pass(&pass(2, 1000), &app),
            Passed::Yes { left: Some(0) }
        );
        assert_eq!(gates.pass(&pass(2, 9000), &app), Passed::Again);
    }
}
