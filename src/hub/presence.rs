//! The members of one presence channel, at its home: users, and the connections behind each.

use crate::id::ClientId;
use crate::protocol::member::Member;
use indexmap::IndexMap;
use smallvec::SmallVec;

/// One presence connection; the epoch tells two subscriptions of one client apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The connection.
    pub client: ClientId,
    /// Which of its subscriptions.
    pub epoch: u32,
}

/// Who is in a presence channel, over all shards.
#[derive(Debug, Default)]
pub struct Members {
    by_user: IndexMap<Box<str>, Entry>,
}

#[derive(Debug)]
struct Entry {
    member: Member,
    connections: SmallVec<[Presence; 1]>,
}

/// How a join changed the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The user was not here: everybody is told (P2).
    New,
    /// A further connection of a member, or a repeated one: nobody is told (P3).
    Again,
    /// There is no room for a new user (P8).
    Full,
}

impl Members {
    /// Lets a connection in. Only new users count against `max` (P8); the newest `user_info`
    /// of a user wins, silently (P5).
    pub fn join(&mut self, presence: Presence, member: Member, max: usize) -> Arrival {
        if let Some(entry) = self.by_user.get_mut(&member.user_id) {
            entry.member.user_info = member.user_info;
            if !entry.connections.contains(&presence) {
                entry.connections.push(presence);
            }
            return Arrival::Again;
        }
        if self.by_user.len() >= max {
            return Arrival::Full;
        }
        let user_id = member.user_id.clone();
        let connections = SmallVec::from_buf([presence]);
        self.by_user.insert(
            user_id,
            Entry {
                member,
                connections,
            },
        );
        Arrival::New
    }

    /// Takes a connection out; true when it was the user's last (P2).
    pub fn part(&mut self, presence: Presence, user_id: &str) -> bool {
        let Some(entry) = self.by_user.get_mut(user_id) else {
            return false;
        };
        entry.connections.retain(|other| *other != presence);
        if entry.connections.is_empty() {
            self.by_user.shift_remove(user_id);
            return true;
        }
        false
    }

    /// The members in the order of joining.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Member> + Clone {
        self.by_user.values().map(|entry| &entry.member)
    }

    /// The member that came last.
    #[must_use]
    pub fn newest(&self) -> Option<&Member> {
        self.by_user.last().map(|(_, entry)| &entry.member)
    }

    /// How many distinct users there are (P1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_user.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ShardId;

    fn connection(slot: u32) -> Presence {
        Presence {
            client: ClientId::new(ShardId(0), 0, slot),
            epoch: 0,
        }
    }

    fn member(user_id: &str, info: Option<&str>) -> Member {
        Member {
            user_id: user_id.into(),
            user_info: info.map(Into::into),
        }
    }

    #[test]
    fn first_and_last_connection_of_a_user_are_edges() {
        // P2, P3
        let mut members = Members::default();
        assert_eq!(
            members.join(connection(1), member("a", None), 9),
            Arrival::New
        );
        assert_eq!(
            members.join(connection(2), member("a", None), 9),
            Arrival::Again
        );
        assert_eq!(
            members.join(connection(2), member("a", None), 9),
            Arrival::Again
        );
        assert!(!members.part(connection(2), "a"));
        assert!(!members.part(connection(2), "a"));
        assert!(!members.part(connection(1), "b"));
        assert!(members.part(connection(1), "a"));
        assert_eq!(members.len(), 0);
    }

    #[test]
    fn the_newest_info_wins() {
        // P5
        let mut members = Members::default();
        members.join(connection(1), member("a", Some("{\"n\":1}")), 9);
        members.join(connection(2), member("a", Some("{\"n\":2}")), 9);
        assert_eq!(
            members.iter().next().unwrap().user_info.as_deref(),
            Some("{\"n\":2}")
        );
        members.part(connection(2), "a");
        assert_eq!(
            members.iter().next().unwrap().user_info.as_deref(),
            Some("{\"n\":2}")
        );
    }

    #[test]
    fn only_new_users_count_against_the_limit() {
        // P8
        let mut members = Members::default();
        assert_eq!(
            members.join(connection(1), member("a", None), 2),
            Arrival::New
        );
        assert_eq!(
            members.join(connection(2), member("b", None), 2),
            Arrival::New
        );
        assert_eq!(
            members.join(connection(3), member("c", None), 2),
            Arrival::Full
        );
        assert_eq!(
            members.join(connection(4), member("a", None), 2),
            Arrival::Again
        );
        assert_eq!(members.len(), 2);
    }
}
