//! When requests must end; the earliest is at hand.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tokio::time::Instant;

/// Deadlines of requests that are worked on.
///
/// A heap: ten thousand requests of a peer may wait here, each with a deadline of its own, and looking through all of them at
/// each deadline would be too much. Most end long before theirs, so that adding is what counts, and what is due last is put at
/// the end. A request that ends stays in the heap until it comes up, or until most of what is there has ended: taking each out
/// of a tree would cost more.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, u32)>>,
}

impl Deadlines {
    /// Adds the deadline of one of so many requests. `runs` says whether there still is such a request.
    pub(crate) fn add(
        &mut self,
        deadline: Instant,
        id: u32,
        (running, runs): (usize, impl Fn(Instant, u32) -> bool),
    ) {
        if self.heap.len() >= 2 * running + SLACK {
            self.heap
                .retain(|&Reverse((deadline, id))| runs(deadline, id));
        }
        self.heap.push(Reverse((deadline, id)));
    }

    /// The earliest; it may be one of a request that has ended.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|&Reverse((deadline, _))| deadline)
    }

    /// Takes out the requests whose time is up, in the order of their deadlines.
    pub(crate) fn take_due(
        &mut self,
        now: Instant,
        runs: impl Fn(Instant, u32) -> bool,
    ) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some(&Reverse((deadline, id))) = self.heap.peek() {
            let runs = runs(deadline, id);
            if runs && deadline > now {
                return due;
            }
            self.heap.pop();
            if runs {
                due.push(id);
            }
        }
        // Its room was for the most that there ever were.
        self.heap = BinaryHeap::new();
        due
    }
}

/// Requests that have ended and may stand here whatever number is worked on.
const SLACK: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A table of requests with their deadlines, as a link has one.
    #[derive(Default)]
    struct Table {
        running: HashMap<u32, Instant>,
        deadlines: Deadlines,
    }

    impl Table {
        fn begin(&mut self, id: u32, deadline: Instant) {
            let Self { running, deadlines } = self;
            running.insert(id, deadline);
            let runs = |at, id: u32| running.get(&id) == Some(&at);
            deadlines.add(deadline, id, (running.len(), runs));
        }

        fn take_due(&mut self, now: Instant) -> Vec<u32> {
            let Self { running, deadlines } = self;
            deadlines.take_due(now, |at, id| running.get(&id) == Some(&at))
        }
    }

    #[test]
    fn requests_come_up_in_the_order_of_their_deadlines_and_once() {
        let (mut table, now) = (Table::default(), Instant::now());
        for id in [3, 1, 2, 5, 4] {
            table.begin(id, now + SECOND * id);
        }
        assert_eq!(table.deadlines.next(), Some(now + SECOND));
        assert_eq!(table.take_due(now), []);
        assert_eq!(table.take_due(now + SECOND * 3), [1, 2, 3]);
        assert_eq!(table.take_due(now + SECOND * 3), []);
        assert_eq!(table.deadlines.next(), Some(now + SECOND * 4));
    }

    #[test]
    fn what_has_ended_does_not_come_up_nor_does_what_has_its_id_now() {
        let (mut table, now) = (Table::default(), Instant::now());
        for id in 1..=3 {
            table.begin(id, now + SECOND * id);
        }
        table.running.remove(&1);
        table.running.remove(&2);
        table.begin(2, now + SECOND * 9);
        assert_eq!(table.take_due(now + SECOND * 8), [3]);
        assert_eq!(table.deadlines.next(), Some(now + SECOND * 9));
        table.running.clear();
        assert_eq!(table.take_due(now + SECOND * 9), []);
        assert_eq!(table.deadlines.next(), None, "nobody is waited for");
    }

    #[test]
    fn those_that_have_ended_do_not_add_up() {
        let (mut table, now) = (Table::default(), Instant::now());
        for id in 0..100 {
            table.begin(id, now + SECOND * 100);
        }
        for n in 100..100_000_u32 {
            // The same ID again and again, as a peer may choose it.
            let id = if n % 2 == 0 { n } else { 1_000_000 };
            table.begin(id, now + SECOND + Duration::from_nanos(u64::from(n)));
            table.running.remove(&id);
            assert!(table.deadlines.heap.len() <= 2 * 101 + SLACK);
        }
    }
}
