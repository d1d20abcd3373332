//! Whether every receiver gets every message of every stream once and in order. Exact: no sampling.

use std::collections::{BTreeSet, HashMap};

/// What is seen of the streams, by receiver.
#[derive(Debug, Default)]
pub struct Check {
    /// Streams that one receiver hears.
    width: usize,
    /// The next number that is expected, by receiver and stream.
    next: Vec<u32>,
    /// Numbers that were jumped over and have not come since.
    gaps: HashMap<usize, BTreeSet<u32>>,
    /// Messages that came, each counted once.
    pub delivered: u64,
    /// Messages that came again.
    pub duplicated: u64,
    /// Messages that came after a later one of their stream.
    pub out_of_order: u64,
}

/// What is known of a stream from its sender's side.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// How many messages were sent: numbers 0 to this.
    pub count: u32,
    /// Numbers that the server refused to take: nobody needs to get them.
    pub refused: BTreeSet<u32>,
    /// Numbers whose sender never learnt whether they were taken: they may come or not.
    pub doubtful: BTreeSet<u32>,
}

/// What one receiver owes or is owed of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Messages that should have come.
    pub expected: u64,
    /// Those of them that did not.
    pub lost: u64,
    /// Messages that came although the server had refused them.
    pub against_refusal: u64,
}

impl Check {
    /// For so many receivers, each of so many streams.
    pub fn new(receivers: usize, width: usize) -> Self {
        Self {
            width,
            next: vec![0; receivers * width],
            ..Self::default()
        }
    }

    /// A message came; whether for the first time.
    #[inline]
    pub fn take(&mut self, receiver: usize, stream: usize, sequence: u32) -> bool {
        let place = receiver * self.width + stream;
        let next = &mut self.next[place];
        if *next == sequence {
            *next += 1;
            self.delivered += 1;
            return true;
        }
        self.take_unexpected(place, sequence)
    }

    #[cold]
    fn take_unexpected(&mut self, place: usize, sequence: u32) -> bool {
        let next = self.next[place];
        if sequence > next {
            self.gaps.entry(place).or_default().extend(next..sequence);
            self.next[place] = sequence + 1;
        } else {
            let gap = self.gaps.get_mut(&place);
            if !gap.is_some_and(|missing| missing.remove(&sequence)) {
                self.duplicated += 1;
                return false;
            }
            self.out_of_order += 1;
        }
        self.delivered += 1;
        true
    }

    /// The account of one receiver and stream. Of one that `left` early, only what it missed before
    /// is held against the server.
    pub fn account(&self, receiver: usize, stream: usize, sent: &Sent, left: bool) -> Account {
        let place = receiver * self.width + stream;
        let next = self.next[place];
        let until = if left { next } else { sent.count.max(next) };
        let none = BTreeSet::new();
        let missing = self.gaps.get(&place).unwrap_or(&none);
        let excused =
            |number: &u32| sent.refused.contains(number) || sent.doubtful.contains(number);
        let in_gaps = missing.iter().filter(|number| !excused(number)).count() as u64;
        let tail = u64::from(until - next)
            - count(&sent.refused, next, until)
            - count(&sent.doubtful, next, until);
        let came = u64::from(next) - missing.len() as u64;
        let refused_and_missing = missing.iter().filter(|n| sent.refused.contains(n)).count();
        let against_refusal = count(&sent.refused, 0, next) - refused_and_missing as u64;
        Account {
            expected: came - against_refusal + in_gaps + tail,
            lost: in_gaps + tail,
            against_refusal,
        }
    }
}

fn count(numbers: &BTreeSet<u32>, from: u32, until: u32) -> u64 {
    numbers.range(from..until).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator of its own, so that a failing seed can be run again.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % bound
        }
    }

    fn sent(count: u32) -> Sent {
        Sent {
            count,
            ..Sent::default()
        }
    }

    #[test]
    fn each_fault_is_told_from_the_others() {
        let mut check = Check::new(1, 1);
        for number in [0, 1, 3, 4, 2, 4, 7] {
            check.take(0, 0, number);
        }
        assert_eq!(
            (check.delivered, check.duplicated, check.out_of_order),
            (6, 1, 1)
        );
        let account = |sent: &Sent, left| check.account(0, 0, sent, left);
        let faults = |account: Account| (account.expected, account.lost);
        assert_eq!(faults(account(&sent(8), false)), (8, 2), "5 and 6");
        assert_eq!(faults(account(&sent(10), false)), (10, 4), "8 and 9 too");
        assert_eq!(faults(account(&sent(10), true)), (8, 2), "it left after 7");
        let mut refused = sent(10);
        refused.refused = [5, 9].into();
        refused.doubtful = [8].into();
        assert_eq!(faults(account(&refused, false)), (7, 1), "6 only");
        refused.refused.insert(3);
        let account = account(&refused, false);
        assert_eq!((account.expected, account.against_refusal), (6, 1));
    }

    /// Deliveries with seeded faults against a model that counts in the plainest way.
    #[test]
    fn the_check_agrees_with_a_plain_model() {
        for seed in 1..=300 {
            let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
            let count = 1 + random.below(60) as u32;
            let mut sent = sent(count);
            let mut order: Vec<u32> = Vec::new();
            for number in 0..count {
                match random.below(20) {
                    0 => {}
                    1 => order.extend([number, number]),
                    2 => {
                        sent.refused.insert(number);
                    }
                    3 => {
                        sent.doubtful.insert(number);
                        order.push(number);
                    }
                    _ => order.push(number),
                }
            }
            for _ in 0..random.below(5) {
                let (from, to) = (random.below(60) as usize, random.below(60) as usize);
                if from < order.len() && to < order.len() {
                    order.swap(from, to);
                }
            }
            let mut check = Check::new(3, 2);
            let (mut seen, mut late, mut again) = (BTreeSet::new(), 0, 0);
            for number in &order {
                let highest = seen.last().copied();
                let first = seen.insert(*number);
                again += u64::from(!first);
                late += u64::from(first && highest.is_some_and(|highest| highest > *number));
                assert_eq!(check.take(1, 1, *number), first, "seed {seed}");
            }
            let must: BTreeSet<u32> = (0..count)
                .filter(|n| !sent.refused.contains(n) && !sent.doubtful.contains(n))
                .collect();
            let account = check.account(1, 1, &sent, false);
            assert_eq!(
                account.lost,
                must.difference(&seen).count() as u64,
                "seed {seed}"
            );
            assert_eq!(check.delivered, seen.len() as u64, "seed {seed}");
            assert_eq!(
                (check.duplicated, check.out_of_order),
                (again, late),
                "seed {seed}"
            );
            assert_eq!(
                account.expected - account.lost,
                check.delivered,
                "seed {seed}"
            );
            assert_eq!(check.account(0, 1, &sent, false).lost, must.len() as u64);
        }
    }
}
