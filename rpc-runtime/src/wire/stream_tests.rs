//! Streams without a socket: whatever the order of things, no window is exceeded and every item gets through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;

use super::body::Body;
use super::frame::{self, Fixed, Frame, Kind, flag};
use super::hello::Hello;
use super::inbound::Inbound;
use super::outbound::{Outbound, PIECE, WHOLE};
use super::pieces::{Added, Piece, Pieces};
use super::run::{self, Run, Unread};
use super::sending::{Sending, Sent};
use super::streams::{Batch, Grant, Key, Next, NoCredit, Side, Streams};
use crate::limits::Limits;

/// The task of one stream's sender.
#[derive(Default)]
struct Task(AtomicBool);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Sender {
    sending: Sending,
    task: Arc<Task>,
    /// An item is on its way.
    busy: bool,
    next: usize,
}

/// One side that sends, another one that reads, and the bytes between.
struct Pair {
    windows: (u32, u32),
    /// Items of each stream, by their lengths.
    items: Vec<Vec<usize>>,
    senders: Vec<Sender>,
    here: Streams,
    out: Outbound,
    there: Streams,
    pieces: Pieces,
    back: Outbound,
    inbound: Inbound,
    back_in: Inbound,
    taken: Vec<Vec<usize>>,
    batches: Vec<Batch>,
    now: Instant,
}

fn opened(limits: &Limits) -> Inbound {
    let mut inbound = Inbound::client(limits);
    let mut hello = Vec::new();
    frame::write_hello(&mut hello, &Hello::of(limits, Vec::new()).encode());
    inbound.buffer().extend_from_slice(&hello);
    assert!(inbound.next_frame().unwrap().is_some());
    inbound
}

fn ours(stream: usize) -> Key {
    (Side::Ours, stream as u32 + 1)
}

fn theirs(stream: usize) -> Key {
    (Side::Theirs, stream as u32 + 1)
}

impl Pair {
    fn new(windows: (u32, u32), piece: usize, items: &[Vec<usize>]) -> Self {
        let limits = Limits {
            stream_window: windows.0,
            ..Limits::default()
        };
        let mut here = Streams::new((0, 0), windows, piece);
        let mut there = Streams::new(windows, (0, 0), piece);
        let senders = (0..items.len()).map(|stream| {
            here.open(ours(stream), false, true);
            there.open(theirs(stream), true, false);
            Sender {
                sending: Sending::ours(stream as u32 + 1),
                task: Arc::new(Task(AtomicBool::new(true))),
                busy: false,
                next: 0,
            }
        });
        Self {
            windows,
            senders: senders.collect(),
            items: items.to_vec(),
            here,
            out: Outbound::new(piece),
            there,
            pieces: Pieces::default(),
            back: Outbound::default(),
            inbound: opened(&limits),
            back_in: opened(&limits),
            taken: vec![Vec::new(); items.len()],
            batches: items.iter().map(|_| Batch::default()).collect(),
            now: Instant::now(),
        }
    }

    /// Runs a sender until it waits; it runs only if something has woken it.
    fn send(&mut self, stream: usize) {
        let sender = &mut self.senders[stream];
        if !sender.task.0.swap(false, Ordering::Relaxed) {
            return;
        }
        let waker = Waker::from(sender.task.clone());
        loop {
            if !sender.busy {
                let Some(length) = self.items[stream].get(sender.next) else {
                    return;
                };
                *sender.sending.next_body() = vec![sender.next as u8; *length];
                (sender.busy, sender.next) = (true, sender.next + 1);
            }
            let sent =
                sender
                    .sending
                    .advance(&mut self.here, &mut self.out, u64::MAX, Some(&waker));
            match sent {
                Sent::All => sender.busy = false,
                Sent::Wait => return,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Moves what was written, and handles up to `most` frames of it; items that came together as one, if that is even.
    fn deliver(&mut self, most: usize) {
        let batch = self.out.take(Vec::new());
        self.inbound.buffer().extend_from_slice(&batch);
        for _ in 0..most {
            if most.is_multiple_of(2)
                && let Some(run) = self.inbound.run()
            {
                let (key, length) = ((Side::Theirs, run.request_id), run.len());
                let kept = self.there.keep_run(key, false, Unread::from(run));
                drop(kept.expect("the sender has exceeded a window"));
                self.inbound.skip(length);
                self.grant(key);
                self.check();
                continue;
            }
            let Some(frame) = self.inbound.next_frame().unwrap() else {
                break;
            };
            self.came(frame);
            self.check();
        }
    }

    fn came(&mut self, frame: Frame) {
        let key = (Side::Theirs, frame.request_id);
        self.there
            .came(key, frame.cost())
            .expect("the sender has exceeded a window");
        if frame.kind == Kind::Item && frame.flags & flag::MORE != 0 {
            self.pieces.begin(key, frame, true, self.now);
        } else if frame.kind == Kind::Item {
            drop(self.there.keep(key, frame));
        } else if let Added::Whole(whole, _) =
            self.pieces
                .add(key, Piece::Framed(frame), u64::MAX, self.now)
        {
            drop(self.there.keep(key, whole));
        }
        self.grant(key);
    }

    fn grant(&mut self, key: Key) {
        let (connection, stream): (Grant, Grant) = self.there.grants(key, key.1.is_multiple_of(2));
        self.back.grant(connection, (key.0, 0));
        self.back.grant(stream, key);
    }

    fn take(&mut self, stream: usize) -> bool {
        let batch = &mut self.batches[stream];
        let body = match batch.next() {
            Some(body) => body,
            None => {
                let owed = batch.owes();
                let next = self.there.next_batch(theirs(stream), Waker::noop(), batch);
                if owed {
                    self.grant(theirs(stream));
                }
                let Next::Item(body) = next else {
                    return false;
                };
                body
            }
        };
        let at = self.taken[stream].len();
        assert!(
            body.iter().all(|byte| *byte == at as u8),
            "items changed places"
        );
        self.taken[stream].push(body.len());
        self.grant(theirs(stream));
        true
    }

    /// Brings credit back to the sender.
    fn credit(&mut self) {
        let batch = self.back.take(Vec::new());
        self.back_in.buffer().extend_from_slice(&batch);
        while let Some(frame) = self.back_in.next_frame().unwrap() {
            assert_eq!(frame.kind, Kind::Credit);
            let wakers: Vec<_> = match frame.request_id {
                0 => self.here.credit_all(frame.credit()),
                id => {
                    let key = (Side::Ours, id);
                    self.here.credit(key, frame.credit()).into_iter().collect()
                }
            };
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// What is kept is bounded by the windows, but for one item of each stream that is larger than they are.
    fn check(&self) {
        let largest = |items: &Vec<usize>| items.iter().max().copied().unwrap_or(0) as u64 + 12;
        let items: u64 = self.items.iter().map(largest).sum();
        let kept = self.there.held() + self.pieces.held();
        assert!(
            kept <= u64::from(self.windows.1) + items,
            "{kept} bytes are kept"
        );
    }

    /// Everybody goes on until nothing moves any more.
    fn settle(&mut self, readers: impl Fn(usize) -> bool) {
        loop {
            let before: usize = self.taken.iter().map(Vec::len).sum();
            let mut credit = 0;
            // An item of one byte a frame takes many rounds.
            for _ in 0..400 {
                (0..self.items.len()).for_each(|stream| self.send(stream));
                self.deliver(usize::MAX);
                self.deliver(usize::MAX - 1);
                for stream in (0..self.items.len()).filter(|stream| readers(*stream)) {
                    while self.take(stream) {}
                }
                credit += self.back.end() as usize;
                self.credit();
            }
            let after: usize = self.taken.iter().map(Vec::len).sum();
            let _ = credit;
            if after == before {
                return;
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Deliver(usize),
    Take(usize),
    Credit,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_usize).prop_map(Step::Send),
        (1..4_usize).prop_map(Step::Deliver),
        (0..3_usize).prop_map(Step::Take),
        Just(Step::Credit),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn no_order_of_things_exceeds_a_window_loses_a_wake_up_or_keeps_credit(
        stream_window in 13..400_u32,
        connection_window in 13..800_u32,
        piece in 1..100_usize,
        items in vec(vec(0..300_usize, 0..12), 3),
        steps in vec(step(), 0..200),
    ) {
        let mut pair = Pair::new((stream_window, connection_window), piece, &items);
        for step in steps {
            match step {
                Step::Send(stream) => pair.send(stream),
                Step::Deliver(most) => pair.deliver(most),
                Step::Take(stream) => drop(pair.take(stream)),
                Step::Credit => pair.credit(),
            }
            pair.check();
        }
        pair.settle(|_| true);
        prop_assert_eq!(&pair.taken, &items, "items are stuck");
        prop_assert_eq!(pair.there.held(), 0);
        prop_assert_eq!(pair.pieces.held(), 0);
        // More than half of each window is with the sender again, and the rest comes with the next items.
        let (streams, connection) = pair.here.credits();
        prop_assert!(connection * 2 > u64::from(connection_window), "{connection} of {connection_window}");
        for credit in streams {
            prop_assert!(credit * 2 > u64::from(stream_window), "{credit} of {stream_window}");
        }
    }
}

#[test]
fn what_slow_readers_leave_of_the_window_is_enough_for_the_others() {
    // Three streams keep almost all of the connection's window, and their readers never come back.
    let slow = vec![88; 100];
    let items = [slow.clone(), slow.clone(), slow, vec![50; 1_000]];
    let mut pair = Pair::new((1_000, 3_300), 1_000, &items);
    pair.settle(|stream| stream == 3);
    assert_eq!(pair.taken[3].len(), 1_000);
    assert!(pair.there.held() > 2_500);
}

#[test]
fn a_call_that_is_over_gives_back_what_its_reader_has_left() {
    let items = [vec![88; 100], vec![88; 100]];
    let mut pair = Pair::new((1_000, 1_000), 1_000, &items);
    pair.settle(|_| false);
    let held = pair.there.held();
    assert!(held > 800, "{held}");
    let (grant, _) = pair.there.close(theirs(0));
    pair.back.grant(grant, (Side::Theirs, 0));
    drop(pair.here.close(ours(0)));
    pair.settle(|stream| stream == 1);
    assert_eq!(pair.taken[1].len(), 100);
    assert_eq!(pair.there.held(), 0);
}

#[test]
fn items_around_the_length_of_a_piece_cost_what_they_are() {
    for whole in [PIECE, WHOLE] {
        let items = [vec![PIECE - 1, PIECE, PIECE + 5, WHOLE, WHOLE + 1, 200_000]];
        let mut pair = Pair::new((256 << 10, 1 << 20), whole, &items);
        pair.settle(|_| true);
        assert_eq!(pair.taken, items);
        // Nobody reads: whoever paid less than it sends would exceed the window.
        let window = 4 * frame::cost(PIECE) as u32;
        let mut pair = Pair::new((window, 1 << 20), whole, &[vec![PIECE + 5; 4]]);
        pair.settle(|_| false);
        assert_eq!(pair.taken, [[0; 0]]);
        pair.settle(|_| true);
        assert_eq!(pair.taken, [[PIECE + 5; 4]]);
    }
}

#[test]
fn small_items_keep_no_read_buffer() {
    let mut streams = Streams::new((1 << 20, 1 << 20), (0, 0), 65_536);
    streams.open(theirs(0), true, false);
    for length in [1, 4_096, 4_097, 65_536] {
        let buffer = Bytes::from(vec![7; 4 << 20]);
        streams.came(theirs(0), frame::cost(length)).unwrap();
        drop(streams.keep(theirs(0), item(buffer.slice(..length))));
        assert!(buffer.is_unique(), "an item of {length} bytes keeps 4 MiB");
    }
}

#[test]
fn pieces_of_large_bodies_go_beside_streams_that_never_pause() {
    let mut out = Outbound::default();
    out.add_body(ours(0), Body::new(vec![1; 1_000_000], Vec::new()));
    let mut rounds = 0;
    while out.has_bodies() {
        out.buffer().extend_from_slice(&[0; 200_000]);
        let batch = out.take(Vec::new());
        assert!((200_000..500_000).contains(&batch.len()));
        rounds += 1;
    }
    assert_eq!(rounds, 4);
}

#[test]
fn a_body_that_waits_for_its_turn_is_not_late() {
    let mut pieces = Pieces::default();
    let front = Frame {
        kind: Kind::Call,
        flags: flag::MORE,
        request_id: 1,
        fixed: Fixed::default(),
        metadata: Bytes::new(),
        body: Bytes::new(),
    };
    let start = Instant::now();
    let after = |seconds| start + std::time::Duration::from_secs(seconds);
    pieces.begin(theirs(0), front.clone(), true, start);
    pieces.begin(theirs(1), front.clone(), true, after(1));
    let mut add = |stream, bytes: usize, flags, at| {
        let data = Frame {
            kind: Kind::Data,
            flags,
            body: vec![0; bytes].into(),
            ..front.clone()
        };
        let is_whole = matches!(
            pieces.add(theirs(stream), Piece::Framed(data), 1 << 20, at),
            Added::Whole(..)
        );
        (is_whole, pieces.owed_since())
    };
    assert_eq!(add(1, 65_535, flag::MORE, after(20)), (false, Some(start)));
    assert_eq!(add(1, 1, flag::MORE, after(25)), (false, Some(after(25))));
    assert_eq!(add(1, 0, 0, after(26)), (true, Some(after(25))));
    assert_eq!(add(0, 9, 0, after(50)), (true, None));
}

/// A whole item as it comes in.
fn item(body: Bytes) -> Frame {
    Frame {
        kind: Kind::Item,
        flags: 0,
        request_id: 0,
        fixed: Fixed::default(),
        metadata: Bytes::new(),
        body,
    }
}

/// Items of these lengths, numbered, as they come in.
fn input(lengths: impl IntoIterator<Item = usize>) -> Inbound {
    let mut inbound = opened(&Limits::default());
    let mut out = Vec::new();
    for (number, length) in lengths.into_iter().enumerate() {
        frame::write_item(&mut out, 0, 1, &vec![number as u8; length]);
    }
    inbound.buffer().extend_from_slice(&out);
    inbound
}

#[test]
fn items_that_came_together_are_taken_together_and_count_until_the_next_ones_are_taken() {
    let mut streams = Streams::new((8_000, 80_000), (0, 0), PIECE);
    streams.open(theirs(0), true, false);
    let mut inbound = input([88; 60]);
    // What is longer than an eighth of the window comes in several runs.
    let mut runs = 0;
    while let Some(run) = Run::at_start(inbound.buffer(), u32::MAX, run::longest(8_000)) {
        let length = run.len();
        let kept = streams.keep_run(theirs(0), false, Unread::from(run));
        assert!(kept.unwrap().is_none());
        inbound.skip(length);
        runs += 1;
    }
    assert_eq!((runs, streams.held()), (6, 6_000));
    let (mut batch, mut count, mut held) = (Batch::default(), 0, Vec::new());
    while let Next::Item(body) = streams.next_batch(theirs(0), Waker::noop(), &mut batch) {
        held.push(streams.held());
        assert_eq!(body, vec![count; 88]);
        count += 1;
        while let Some(body) = batch.next() {
            assert_eq!(body, vec![count; 88]);
            count += 1;
        }
    }
    // The first one counts no more, those that came with it do.
    assert_eq!(held, [5_900, 4_900, 3_900, 2_900, 1_900, 900]);
    assert_eq!((count, streams.held()), (60, 0));

    let more = input([88; 10]).run().map(Unread::from).unwrap();
    drop(streams.keep_run(theirs(0), false, more).unwrap());
    let first = streams.next_batch(theirs(0), Waker::noop(), &mut batch);
    assert!(matches!(first, Next::Item(_)) && streams.held() == 900);
    drop(streams.close(theirs(0)));
    assert_eq!(
        streams.held(),
        0,
        "what was taken and not come to counts until the end"
    );
}

#[test]
fn a_run_is_of_whole_items_of_one_stream() {
    let run = |inbound: &Inbound| inbound.run().map(|run| (run.count(), run.len()));
    assert_eq!(run(&input([])), None);
    assert_eq!(run(&input([0, 5, 0])), Some((3, 41)));
    // What is not here to the end is left, as is what is longer than others like to wait for.
    let mut cut = input([5, 5]);
    let length = cut.buffer().len();
    cut.buffer().truncate(length - 1);
    assert_eq!(run(&cut), Some((1, 17)));
    cut.buffer().truncate(16);
    assert_eq!(run(&cut), None);
    assert_eq!(run(&input([10_000; 5])), Some((3, 30_036)));
    assert_eq!(run(&input([40_000, 1])), Some((1, 40_012)));
    assert_eq!(run(&input([WHOLE, 1])), Some((1, WHOLE + 12)));
    assert_eq!(run(&input([WHOLE + 1, 1])), None);
    // Other streams, other flags, other frames, a frame that is too long, and metadata, which an item has none of.
    let with = |change: fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        frame::write_item(&mut out, 0, 1, b"item");
        change(&mut out);
        let mut inbound = opened(&Limits::default());
        inbound.buffer().extend_from_slice(&out);
        run(&inbound)
    };
    assert_eq!(
        with(|out| frame::write_item(out, 0, 2, b"x")),
        Some((1, 16))
    );
    let callee = |out: &mut Vec<u8>| frame::write_item(out, flag::CALLEE, 1, b"x");
    assert_eq!(with(callee), Some((1, 16)));
    assert_eq!(with(|out| frame::write_end(out, 1)), Some((1, 16)));
    assert_eq!(with(|out| out[5] |= flag::MORE), None);
    assert_eq!(with(|out| out[3] = 1), None);
    assert_eq!(with(|out| out[6] = 1), None);
}

#[test]
fn short_runs_share_a_place() {
    let mut streams = Streams::new((64 << 10, 80_000), (0, 0), PIECE);
    streams.open(theirs(0), true, false);
    let mut batch = Batch::default();
    for packed in [false, true] {
        for _ in 0..30 {
            let run = input([88]).run().map(Unread::from).unwrap();
            drop(streams.keep_run(theirs(0), packed, run).unwrap());
        }
        let mut taken = Vec::new();
        loop {
            match streams.next_batch(theirs(0), Waker::noop(), &mut batch) {
                Next::Item(_) if !packed => taken.push(1 + batch.len()),
                // Compressed ones come one by one.
                Next::Packed(_) if packed => taken.push(1),
                Next::Wait => break,
                other => panic!("{other:?}"),
            }
            while batch.next().is_some() {}
        }
        let expected = if packed { vec![1; 30] } else { vec![20, 10] };
        assert_eq!(taken, expected);
        assert_eq!(streams.held(), 0);
    }
}

#[test]
fn items_beyond_the_window_are_refused() {
    let mut streams = Streams::new((1_000, 80_000), (0, 0), PIECE);
    streams.open(theirs(0), true, false);
    let run = |count| input(vec![88; count]).run().map(Unread::from).unwrap();
    drop(streams.keep_run(theirs(0), false, run(7)).unwrap());
    let beyond = streams.keep_run(theirs(0), false, run(4));
    assert_eq!(beyond.err(), Some(NoCredit));
    assert_eq!(streams.held(), 700);
    drop(streams.close(theirs(0)));
    assert_eq!(streams.held(), 0);
}
