//! Row 10 of section 8.2 and the replay guard: what an app's home has to say to a request before
//! it is carried out. Apps without rates ask nobody, unless the guard is on.

use super::route::{Caller, error};
use crate::http::Response;
use crate::hub::{Answer, Pass, Passed, Proof, Rated};
use crate::pusher::Pusher;

/// Leave to carry a request out, and what its answer tells of the rate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leave {
    /// Limit and rest of the rate that counted it.
    rate: Option<(u32, u32)>,
}

impl Leave {
    /// Adds to an answer how much of the rate is left.
    pub(super) fn note(self, response: Response) -> Response {
        let Some((limit, left)) = self.rate else {
            return response;
        };
        response
            .with_number("X-RateLimit-Limit", limit.into())
            .with_number("X-RateLimit-Remaining", left.into())
    }
}

impl Pusher {
    /// Asks for leave; `rated` is the rate that counts the request, and how often.
    ///
    /// # Errors
    /// The answer to a request that may not be carried out: 401 for one that came before or is too
    /// old, 429 past the rate, 503 when no more signatures can be remembered.
    pub(super) async fn pass(
        &self,
        caller: &Caller,
        rated: Option<(Rated, usize)>,
    ) -> Result<Leave, Box<Response>> {
        if caller.is_operator {
            return Ok(Leave::default());
        }
        let limit = {
            let hub = self.hub.borrow();
            let app = &hub.apps().get(caller.app).app;
            rated.and_then(|(rated, _)| rated.limit(app))
        };
        let proof = self
            .limits
            .get()
            .replay_guard
            .then(|| self.proof_of(caller));
        if limit.is_none() && proof.is_none() {
            return Ok(Leave::default());
        }
        let pass = Pass {
            app: caller.app,
            now_ms: self.endpoint.clock().now_ms(),
            rated: rated.map(|(rated, times)| (rated, u32::try_from(times).unwrap_or(u32::MAX))),
            proof,
        };
        let pending = self.tickets.open();
        let ticket = pending.ticket();
        self.drive(|hub, effects| hub.pass(ticket, pass, effects));
        let passed = match pending.answer().await {
            Answer::Passed(passed) => passed,
            other => unreachable!("a home answers what it was asked, not {other:?}"),
        };
        let refusal = match passed {
            Passed::Yes { left } => {
                return Ok(Leave {
                    rate: limit.zip(left),
                });
            }
            Passed::TooMany { left, wait_ms } => {
                let rate = limit.map(|limit| (limit, left));
                let response = error(
                    429,
                    "Too many requests: the rate limit of the app is used up",
                )
                .with_number("Retry-After", wait_ms.div_ceil(1000).max(1));
                Leave { rate }.note(response)
            }
            Passed::Again => error(
                401,
                "Replayed: a request with this signature was served before",
            ),
            Passed::TooOld => error(401, "Timestamp expired"),
            Passed::NoMemory { wait_s } => error(503, "The server can remember no more signatures")
                .with_number("Retry-After", wait_s.max(1)),
        };
        Err(Box::new(refusal))
    }

    fn proof_of(&self, caller: &Caller) -> Proof {
        let signed_s = caller.verified.signed_s;
        Proof {
            signature: caller.verified.signature,
            expires_s: signed_s
                .saturating_add(self.limits.get().rest_clock_s)
                .saturating_add(1),
            now_s: self.endpoint.clock().wall_s(),
        }
    }
}
