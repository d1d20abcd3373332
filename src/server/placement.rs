//! Which core each shard is pinned to, and which is left for the control thread.
//!
//! [`place`] is a pure function of a list of cores; only [`usable_cores`] asks the machine. It pins
//! nothing itself. Invariants: shards take cores in the order of the list, one each until they run
//! out and from the start again after that; the control thread never gets a shard's core.

use std::thread;

/// What there is to place shards on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The cores this process may run on, in ascending order. Never empty.
    pub usable: Vec<usize>,
    /// How many cores' worth of time the process may use; a container's CPU quota makes it less
    /// than the number of usable cores. At least 1.
    pub budget: usize,
}

/// Where everything runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The core of each shard; the length is the number of shards.
    pub shards: Vec<usize>,
    /// A usable core that no shard took, for the control thread; `None` leaves that to the
    /// scheduler.
    pub control: Option<usize>,
    /// What is allowed but slow about it, one sentence.
    pub warning: Option<String>,
}

/// Asks the machine; call it before any thread of the process is pinned.
pub fn usable_cores() -> Cores {
    let budget = thread::available_parallelism().map_or(1, usize::from);
    let listed = core_affinity::get_core_ids().unwrap_or_default();
    let mut usable: Vec<usize> = listed.into_iter().map(|core| core.id).collect();
    if usable.is_empty() {
        // A machine with more cores than an affinity mask of the usual size holds.
        usable = (0..budget).collect();
    }
    Cores { usable, budget }
}

/// Spreads shards over cores.
///
/// `chosen` are the cores to use (empty: all usable ones) and are taken to be usable, which the
/// configuration has checked. `shards` is how many were asked for; by default there is one for each
/// core in use, but no more than the budget unless the cores were chosen.
pub fn place(cores: &Cores, chosen: &[usize], shards: Option<usize>) -> Placement {
    let (pool, default) = match chosen {
        [] => (&cores.usable[..], cores.usable.len().min(cores.budget)),
        chosen => (chosen, chosen.len()),
    };
    let count = shards.unwrap_or(default).max(1);
    let taken: Vec<usize> = pool.iter().copied().cycle().take(count).collect();
    let control = cores
        .usable
        .iter()
        .copied()
        .find(|core| !taken.contains(core));
    let warning = (count > pool.len()).then(|| {
        format!(
            "{count} shards share {} {} ({}): shards of one core take turns, which is slower than \
             one shard there",
            pool.len(),
            if pool.len() == 1 { "core" } else { "cores" },
            display_cores(pool),
        )
    });
    Placement {
        shards: taken,
        control,
        warning,
    }
}

/// Writes a list of cores the short way, with ranges: `0-1, 3`.
pub(crate) fn display_cores(cores: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &core in cores {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            _ => runs.push((core, core)),
        }
    }
    let shown = runs.iter().map(|&(first, last)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cores(usable: &[usize], budget: usize) -> Cores {
        Cores {
            usable: usable.to_vec(),
            budget,
        }
    }

    type Row = (
        &'static [usize],
        usize,
        &'static [usize],
        Option<usize>,
        &'static [usize],
        Control,
    );
    type Control = Option<usize>;

    #[test]
    fn shards_take_cores_and_control_takes_the_rest() {
        // usable, budget, chosen, shards asked for -> cores of the shards, core of control
        let table: &[Row] = &[
            (&[0, 1], 2, &[], None, &[0, 1], None),
            (&[0, 1], 2, &[], Some(1), &[0], Some(1)),
            (&[0], 1, &[], None, &[0], None),
            (&[2, 5, 7], 3, &[], Some(2), &[2, 5], Some(7)),
            (&[0, 1, 2, 3], 4, &[2, 3], None, &[2, 3], Some(0)),
            (&[0, 1, 2, 3], 4, &[3, 0], Some(1), &[3], Some(0)),
            (&[0, 1, 2, 3], 4, &[1], Some(1), &[1], Some(0)),
            // A quota of two cores on a machine of four.
            (&[0, 1, 2, 3], 2, &[], None, &[0, 1], Some(2)),
            (&[0, 1, 2, 3], 2, &[], Some(4), &[0, 1, 2, 3], None),
            (&[0, 1, 2, 3], 2, &[0, 1, 2], None, &[0, 1, 2], Some(3)),
        ];
        for &(usable, budget, chosen, shards, taken, control) in table {
            let got = place(&cores(usable, budget), chosen, shards);
            let want = Placement {
                shards: taken.to_vec(),
                control,
                warning: None,
            };
            assert_eq!(got, want, "{usable:?} {budget} {chosen:?} {shards:?}");
        }
    }

    #[test]
    fn more_shards_than_cores_go_round_with_a_warning() {
        let exact = place(&cores(&[0, 1], 2), &[], Some(2));
        assert_eq!(exact.warning, None);
        let past = place(&cores(&[0, 1], 2), &[], Some(3));
        assert_eq!(past.shards, [0, 1, 0]);
        assert_eq!(past.control, None);
        let warning = past.warning.unwrap();
        assert!(
            warning.starts_with("3 shards share 2 cores (0-1):"),
            "{warning}"
        );

        let chosen = place(&cores(&[0, 1, 2], 3), &[1], Some(2));
        assert_eq!((&chosen.shards[..], chosen.control), (&[1, 1][..], Some(0)));
        assert!(
            chosen
                .warning
                .unwrap()
                .starts_with("2 shards share 1 core (1):")
        );
    }

    #[test]
    fn this_machine_has_usable_cores() {
        let cores = usable_cores();
        assert!(!cores.usable.is_empty() && cores.budget >= 1);
        assert!(cores.usable.is_sorted());
        assert_eq!(place(&cores, &[], Some(1)).shards, [cores.usable[0]]);
    }

    #[test]
    fn cores_are_shown_with_ranges() {
        for (cores, text) in [
            (&[0][..], "0"),
            (&[0, 1, 3], "0-1, 3"),
            (&[3, 1], "3, 1"),
            (&[0, 0], "0, 0"),
            (&[], ""),
        ] {
            assert_eq!(display_cores(cores), text);
        }
    }
}
