//! Tests of the life of a task.
#![cfg(test)]

use super::fake::{Fake, poll_once};
use super::*;
use crate::crossing::pulse::Doing;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

/// Says when it is dropped.
struct Falls(Rc<Cell<u32>>);

impl Drop for Falls {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn shard() -> (Rc<Fake>, Rc<Spawned>) {
    (Rc::default(), Rc::default())
}

fn sign() -> Sign {
    Sign::new(&Arc::default(), Doing::new(Callback::Task, 0))
}

#[test]
fn a_task_gives_what_its_future_gives() {
    let (fake, spawned) = shard();
    let mut task = pin!(spawned.spawn(&*fake, sign(), async { 7 }));
    assert_eq!((poll_once(task.as_mut()), spawned.len()), (None, 1));
    fake.run();
    assert_eq!(poll_once(task.as_mut()), Some(Ok(7)));
    assert_eq!(spawned.len(), 0);
}

#[test]
fn a_panic_is_told_to_who_awaits_the_task() {
    let (fake, spawned) = shard();
    for late in [false, true] {
        let task = spawned.spawn(&*fake, sign(), async move {
            if late {
                futures_lite::future::yield_now().await;
            }
            panic!("odd {late}")
        });
        let task: Task<()> = task;
        fake.run();
        fake.run();
        let panicked = TaskError::Panicked(format!("odd {late}"));
        assert_eq!(poll_once(pin!(task)), Some(Err(panicked)));
    }
    assert_eq!(spawned.len(), 0);
}

#[test]
fn a_task_that_is_dropped_or_cancelled_is_gone_at_once() {
    let (fake, spawned) = shard();
    let fallen = Rc::new(Cell::new(0));
    for (count, polled) in [(1, false), (2, true)] {
        let held = Falls(Rc::clone(&fallen));
        let task = spawned.spawn(&*fake, sign(), async move {
            pending::<()>().await;
            drop(held);
        });
        if polled {
            fake.run();
        }
        assert_eq!(fallen.get(), count - 1);
        match polled {
            true => task.cancel(),
            false => drop(task),
        }
        assert_eq!(fallen.get(), count);
    }
    fake.run();
    assert_eq!((spawned.len(), fake.len()), (0, 0), "nothing is left");
}

#[test]
fn a_detached_task_runs_until_the_shard_ends() {
    let (fake, spawned) = shard();
    let fallen = Rc::new(Cell::new(0));
    let (held, steps) = (Falls(Rc::clone(&fallen)), Rc::new(Cell::new(0)));
    let counts = Rc::clone(&steps);
    let detached = async move {
        let _held = held;
        loop {
            counts.set(counts.get() + 1);
            futures_lite::future::yield_now().await;
        }
    };
    spawned.spawn(&*fake, sign(), detached).detach();
    fake.run();
    fake.run();
    assert_eq!((steps.get(), fallen.get()), (2, 0));
    spawned.end();
    assert_eq!((spawned.len(), fallen.get()), (0, 1));
    fake.run();
    assert_eq!((steps.get(), fake.len()), (2, 0));
    let mut late = pin!(spawned.spawn(&*fake, sign(), async { 1 }));
    assert_eq!(poll_once(late.as_mut()), Some(Err(TaskError::Cancelled)));
}

#[test]
fn a_task_may_cancel_itself() {
    let (fake, spawned) = shard();
    let own: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    let mine = Rc::clone(&own);
    let fallen = Rc::new(Cell::new(0));
    let held = Falls(Rc::clone(&fallen));
    let task = spawned.spawn(&*fake, sign(), async move {
        let _held = held;
        drop(mine.take());
        pending::<()>().await;
    });
    own.replace(Some(task));
    fake.run();
    assert_eq!((fallen.get(), spawned.len(), fake.len()), (1, 0, 0));
}

#[test]
fn who_drops_a_bomb_at_the_end_harms_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let (fake, spawned) = shard();
    let fallen = Rc::new(Cell::new(0));
    for _ in 0..2 {
        let bomb = Bomb;
        spawned
            .spawn(&*fake, sign(), async move {
                pending::<()>().await;
                drop(bomb);
            })
            .detach();
        let held = Falls(Rc::clone(&fallen));
        spawned
            .spawn(&*fake, sign(), async move {
                pending::<()>().await;
                drop(held);
            })
            .detach();
    }
    spawned.end();
    assert_eq!(fallen.get(), 2);
}
