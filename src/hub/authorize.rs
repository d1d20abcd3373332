//! Who may subscribe to what, and as which member of a presence channel.

use super::effect::Effect;
use super::session::Session;
use super::state::Hub;
use crate::id::ClientId;
use crate::protocol::ChannelKind;
use crate::protocol::Code;
use crate::protocol::auth::channel_is_signed;
use crate::protocol::command::Subscribe;
use crate::protocol::event::SubscriptionRefusal;
use crate::protocol::member::{Member, MemberError};

impl Hub {
    /// A signature of the client's is wrong: says whether it may go on. Who tries one after the
    /// other is closed.
    pub(super) fn may_fail(
        &mut self,
        client: ClientId,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(most) = self.options.auth_failures else {
            return true;
        };
        let count = self.failures.count(client, now_ms);
        if count > most {
            self.happened.refusals += 1; // nobody else counts it: it is answered by an end
        }
        if count == most.saturating_add(1) {
            self.happened.auth_floods += 1;
            effects.push(Effect::CloseBecause {
                client,
                code: Code::Unauthorized,
                message: "Too many wrong signatures",
            });
        }
        count <= most
    }

    /// Checks signature and member data (section 4.1, P6 to P9).
    pub(super) fn authorize(
        &self,
        session: &Session,
        kind: ChannelKind,
        subscribe: Subscribe<'_>,
    ) -> Result<Option<Member>, SubscriptionRefusal> {
        if !kind.needs_auth() {
            return Ok(None); // S2
        }
        let tenant = self.apps.get(session.app);
        let Subscribe {
            channel,
            auth,
            channel_data,
        } = subscribe;
        let auth = auth.ok_or(SubscriptionRefusal::Auth)?;
        let socket_id = session.socket_id.to_string();
        let key = &tenant.app.key;
        if !channel_is_signed(&tenant.signer, key, auth, &socket_id, channel, channel_data) {
            return Err(SubscriptionRefusal::Auth);
        }
        if !kind.is_presence() {
            return Ok(None);
        }
        let member = match (channel_data, &session.user) {
            (Some(channel_data), _) => {
                Member::parse(channel_data).map_err(|error| match error {
                    MemberError::UserId | MemberError::UserInfo => SubscriptionRefusal::Member,
                    MemberError::UserIdTooLong => SubscriptionRefusal::MemberTooBig,
                })?
            }
            (None, Some(user)) => user.member(), // P9
            (None, None) => return Err(SubscriptionRefusal::Member),
        };
        if member.user_info.as_ref().map_or(0, |text| text.len()) > tenant.app.presence_member_bytes
        {
            return Err(SubscriptionRefusal::MemberTooBig);
        }
        Ok(Some(member))
    }
}
