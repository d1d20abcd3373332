//! Who holds most of the memory that waits: to be sent, or for the rest of what it sends.

use super::sockets::Sockets;
use crate::conn::Stage;
use crate::id::ClientId;
use crate::limits::FAT_BYTES;
use crate::metrics::Count;

impl Sockets {
    /// Closes those for whom most is waiting, until half of all that waits is let go; says how many
    /// these are. Who has little to wait for is left alone: closing it would gain nothing. Who has
    /// sent most of it, and not to the end, is ended without a word, and what it sent is free.
    pub fn close_fattest(&self) -> usize {
        let fattest = fattest(&self.waiting());
        for client in &fattest {
            let table = self.table.borrow();
            let reads = table.get(*client).is_some_and(|it| {
                it.is_socket() && it.waiting() > self.unfinished.borrow().of(*client)
            });
            drop(table);
            match reads {
                true => self.drop_reader(*client, Count::Fat),
                false => {
                    self.counters().one(Count::Fat);
                    self.abort(*client);
                }
            }
        }
        fattest.len()
    }

    fn waiting(&self) -> Vec<(usize, ClientId)> {
        let (table, unfinished) = (self.table.borrow(), self.unfinished.borrow());
        let open = table
            .iter()
            .filter(|(_, it)| it.life.stage() != Stage::Closing);
        open.map(|(client, it)| (it.waiting() + unfinished.of(client), client))
            .collect()
    }
}

/// The clients whose bytes make up half of all, the fattest first; none below the limit.
fn fattest(waiting: &[(usize, ClientId)]) -> Vec<ClientId> {
    let all: usize = waiting.iter().map(|(bytes, _)| bytes).sum();
    let mut fat: Vec<_> = waiting
        .iter()
        .filter(|(bytes, _)| *bytes >= FAT_BYTES)
        .collect();
    fat.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let mut sum = 0;
    let needed = fat.into_iter().take_while(|(bytes, _)| {
        let is_needed = sum < all.div_ceil(2);
        sum += bytes;
        is_needed
    });
    needed.map(|(_, client)| *client).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ShardId;

    fn closed(waiting: &[usize]) -> Vec<u32> {
        let client = |slot| ClientId::new(ShardId(0), 0, slot);
        let slots = waiting.iter().enumerate();
        let waiting: Vec<_> = slots
            .map(|(at, bytes)| (*bytes, client(at as u32)))
            .collect();
        fattest(&waiting)
            .iter()
            .map(|client| client.slot())
            .collect()
    }

    #[test]
    fn the_fattest_go_until_half_is_free() {
        let fat = FAT_BYTES;
        assert!(closed(&[]).is_empty());
        assert_eq!(closed(&[fat]), [0]);
        assert_eq!(closed(&[fat, 10 * fat, fat]), [1]);
        assert_eq!(closed(&[2 * fat, 3 * fat, 4 * fat]), [2, 1]);
        assert_eq!(closed(&[fat; 4]).len(), 2);
    }

    #[test]
    fn who_has_little_to_wait_for_stays() {
        assert!(closed(&[FAT_BYTES - 1; 100]).is_empty());
        assert_eq!(closed(&[FAT_BYTES, FAT_BYTES - 1, 1]), [0]);
    }
}
