//! The protocol core, driven without a socket.

use std::collections::HashMap;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;

use super::calls::{Answer, Calls, execution, is_after};
use super::frame::*;
use super::hello::Hello;
use super::inbound::{Inbound, Refusal};
use super::outbound::Outbound;
use crate::error::{Error, ErrorKind, Execution};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::security::Token;

// ---- frames ----------------------------------------------------------------------------------------------------------

/// A frame as a test makes it.
#[derive(Clone, Debug)]
enum Sent {
    Call(u32, u64, u32, Vec<u8>, Vec<u8>),
    Reply(u32, Vec<u8>),
    Declared(u32, u8, u32, Vec<u8>),
    Fail(u32, u8, String),
    Cancel(u32),
    Ping(u64),
    GoAway(u32, String),
    Ignorable(u8, Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    let body = || vec(any::<u8>(), 0..300);
    prop_oneof![
        (
            any::<u32>(),
            any::<u64>(),
            any::<u32>(),
            vec(any::<u8>(), 0..50),
            body()
        )
            .prop_map(|(id, call, time, metadata, params)| Sent::Call(
                id, call, time, metadata, params
            )),
        (any::<u32>(), body()).prop_map(|(id, body)| Sent::Reply(id, body)),
        (any::<u32>(), any::<u8>(), any::<u32>(), body())
            .prop_map(|(id, status, after, body)| Sent::Declared(id, status, after, body)),
        (any::<u32>(), any::<u8>(), "[ -~]{0,60}")
            .prop_map(|(id, status, text)| Sent::Fail(id, status, text)),
        any::<u32>().prop_map(Sent::Cancel),
        any::<u64>().prop_map(Sent::Ping),
        (any::<u32>(), "[ -~]{0,60}").prop_map(|(last, text)| Sent::GoAway(last, text)),
        (128..=255_u8, body()).prop_map(|(kind, body)| Sent::Ignorable(kind, body)),
    ]
}

fn fail_part(status: u8, execution: Execution, retry_after_ms: u32) -> FailPart {
    FailPart {
        status,
        execution,
        retryable: status.is_multiple_of(2),
        retry_after_ms,
    }
}

fn write(out: &mut Vec<u8>, sent: &Sent) {
    match sent {
        Sent::Call(id, call_id, remaining_ms, metadata, params) => {
            let (call_id, remaining_ms) = (*call_id, *remaining_ms);
            let part = CallPart {
                call_id,
                remaining_ms,
            };
            let call = CallFrame {
                target: None,
                large: None,
                lent: &[],
                part,
                flags: flag::NO_RETRY,
                metadata,
                params,
            };
            let before = out.len();
            write_call(out, *id, &call);
            assert_eq!(out.len() - before, call_len(&call));
        }
        Sent::Reply(id, body) => write_reply(out, 0, *id, body),
        Sent::Declared(id, status, after, body) => {
            let part = fail_part(*status, Execution::Executed, *after);
            write_declared_head(out, *id, &part, body.len());
            out.extend_from_slice(body);
        }
        Sent::Fail(id, status, text) => {
            write_fail(
                out,
                *id,
                &fail_part(*status, Execution::NotStarted, 0),
                text,
            );
        }
        Sent::Cancel(id) => write_cancel(out, *id),
        Sent::Ping(token) => write_ping(out, Kind::Ping, *token),
        Sent::GoAway(last, text) => write_go_away(out, &go_away_part(*last), text),
        Sent::Ignorable(kind, body) => {
            out.extend_from_slice(&(8 + body.len() as u32).to_le_bytes());
            out.extend_from_slice(&[*kind, 0xff, 0, 0, 1, 2, 3, 4]);
            out.extend_from_slice(body);
        }
    }
}

fn go_away_part(last_id: u32) -> GoAwayPart {
    GoAwayPart {
        last_id,
        reason: GoAwayReason::from_byte((last_id % 7) as u8),
        is_final: last_id.is_multiple_of(2),
        reconnect_ms: last_id / 2,
    }
}

fn assert_same(frame: &Frame, sent: &Sent) {
    let id = frame.request_id;
    match sent {
        Sent::Call(sent_id, call_id, remaining_ms, metadata, params) => {
            assert_eq!(
                (frame.kind, frame.flags, id),
                (Kind::Call, flag::NO_RETRY, *sent_id)
            );
            let part = frame.call_part();
            assert_eq!((part.call_id, part.remaining_ms), (*call_id, *remaining_ms));
            assert_eq!(
                (&frame.metadata[..], &frame.body[..]),
                (&metadata[..], &params[..])
            );
        }
        Sent::Reply(sent_id, body) => {
            assert_eq!((frame.kind, frame.flags, id), (Kind::Reply, 0, *sent_id));
            assert_eq!(frame.body, body);
        }
        Sent::Declared(sent_id, status, after, body) => {
            assert_eq!(
                (frame.kind, frame.flags, id),
                (Kind::Reply, flag::ERROR, *sent_id)
            );
            assert_eq!(
                frame.fail_part(),
                fail_part(*status, Execution::Executed, *after)
            );
            assert_eq!(frame.body, body);
        }
        Sent::Fail(sent_id, status, text) => {
            assert_eq!((frame.kind, id), (Kind::Fail, *sent_id));
            assert_eq!(
                frame.fail_part(),
                fail_part(*status, Execution::NotStarted, 0)
            );
            assert_eq!(&read_message(&frame.body), text);
        }
        Sent::Cancel(sent_id) => assert_eq!((frame.kind, id), (Kind::Cancel, *sent_id)),
        Sent::Ping(token) => {
            assert_eq!(frame.kind, Kind::Ping);
            assert_eq!(frame.fixed.token(), *token);
        }
        Sent::GoAway(last, text) => {
            assert_eq!(frame.kind, Kind::GoAway);
            assert_eq!(frame.go_away_part(), go_away_part(*last));
            assert_eq!(&read_message(&frame.body), text);
        }
        Sent::Ignorable(..) => panic!("{frame:?} should have been skipped"),
    }
}

/// Everything that comes out, and what ended it.
fn frames(inbound: &mut Inbound) -> (Vec<Frame>, Option<Refusal>) {
    let mut frames = Vec::new();
    loop {
        match inbound.next_frame() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, None),
            Err(refusal) => return (frames, Some(refusal)),
        }
    }
}

fn opened() -> Vec<u8> {
    let mut out = PREFACE.to_vec();
    write_hello(&mut out, &[0x80]);
    out
}

proptest! {
    #[test]
    fn the_same_frames_come_out_however_the_stream_is_split(
        sent in vec(sent(), 0..12),
        cuts in vec(1..400_usize, 0..40),
    ) {
        let mut stream = opened();
        sent.iter().for_each(|frame| write(&mut stream, frame));
        let mut inbound = Inbound::server(&Limits::default());
        let (mut received, mut rest) = (Vec::new(), &stream[..]);
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (piece, later) = rest.split_at(cut.min(rest.len()));
            inbound.buffer().extend_from_slice(piece);
            let (more, refusal) = frames(&mut inbound);
            prop_assert_eq!(refusal, None);
            received.extend(more);
            rest = later;
        }
        prop_assert!(!inbound.has_partial());
        prop_assert_eq!(received.remove(0).kind, Kind::Hello);
        let known: Vec<_> = sent.iter().filter(|sent| !matches!(sent, Sent::Ignorable(..))).collect();
        prop_assert_eq!(received.len(), known.len());
        received.iter().zip(known).for_each(|(frame, sent)| assert_same(frame, sent));
    }

    #[test]
    fn arbitrary_bytes_end_in_frames_or_a_refusal_and_hold_no_more_than_one_frame(
        noise in vec(any::<u8>(), 0..2_000),
        start in 0..3_usize,
        piece in 1..64_usize,
    ) {
        let limits = Limits { max_frame_bytes: 256, ..Limits::default() };
        let mut inbound = if start == 0 { Inbound::client(&limits) } else { Inbound::server(&limits) };
        if start == 2 {
            inbound.buffer().extend_from_slice(&opened());
        }
        for piece in noise.chunks(piece) {
            inbound.buffer().extend_from_slice(piece);
            let (frames, refusal) = frames(&mut inbound);
            for frame in frames {
                // What every reader of a frame does must not panic either.
                match frame.kind {
                    Kind::Call => drop(frame.call_part()),
                    Kind::Fail => drop(frame.fail_part()),
                    Kind::Reply if frame.flags & flag::ERROR != 0 => drop(frame.fail_part()),
                    Kind::GoAway => drop(frame.go_away_part()),
                    Kind::Hello => drop(Hello::decode(&frame.body)),
                    _ => {}
                }
                read_message(&frame.body);
                let _ = Metadata::decode(&frame.metadata, &limits);
            }
            if refusal.is_some() {
                return Ok(());
            }
            let limit = if inbound.is_open() { 256 } else { 64 << 10 };
            prop_assert!(inbound.buffer().len() < limit + LENGTH_FIELD + piece.len());
        }
    }

    #[test]
    fn hello_is_read_as_it_was_written(
        agent in ".{0,40}",
        numbers in any::<[u32; 5]>(),
        features in vec("[a-z]{0,12}", 0..5),
        services in vec(("[a-zA-Z.]{0,40}", any::<u64>()), 0..20),
    ) {
        let hello = Hello {
            agent,
            max_frame: numbers[0].max(1),
            max_message: 1 << 24,
        max_inflight: numbers[1],
            stream_window: numbers[2],
            connection_window: numbers[3],
            min_ping_interval_ms: numbers[4],
            features,
            services,
            token: Some(Token::new("t0ken").unwrap()),
        };
        prop_assert_eq!(Hello::decode(&hello.encode()).unwrap(), hello);
    }

    #[test]
    fn metadata_is_read_as_it_was_written_and_never_beyond_its_bounds(
        entries in vec(("[a-z0-9._-]{1,64}", ".{0,200}"), 0..100),
    ) {
        let mut metadata = Metadata::new();
        for (key, value) in &entries {
            metadata.insert(key.as_str(), value.as_str()).unwrap();
        }
        let limits = Limits::default();
        match metadata.encode(&limits) {
            Ok(section) => {
                prop_assert!(entries.len() <= 64 && section.len() <= 8_192);
                prop_assert_eq!(Metadata::decode(&section, &limits).unwrap(), metadata);
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
                let bytes: usize = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
                prop_assert!(entries.len() > 64 || bytes > 8_192 - 64 * 5 - 3);
            }
        }
    }
}

#[test]
fn hello_says_what_is_missing_by_defaults_and_skips_what_is_new() {
    let least = Hello::decode(&[0x80]).unwrap();
    assert_eq!(
        least,
        Hello {
            max_frame: 65_536,
            ..Hello::default()
        }
    );
    let newer = b"\x84\xa5later\x91\x81\x01\x02\xaccompressions\xc0\xacmax_inflight\xc0\xa8services\x91\x93\xa1s\x07\xc0";
    let newer = Hello::decode(newer).unwrap();
    assert_eq!(
        (newer.max_inflight, &newer.services[..]),
        (0, &[("s".to_owned(), 7)][..])
    );
    assert_eq!(newer.fingerprint("s"), Some(7));
    assert_eq!(newer.fingerprint("t"), None);
}

#[test]
fn a_large_frame_does_not_leave_a_large_buffer_behind() {
    let mut inbound = Inbound::server(&Limits::default());
    let mut stream = opened();
    write_reply(&mut stream, 0, 1, &vec![0; 3 << 20]);
    write_cancel(&mut stream, 2);
    stream.truncate(stream.len() - 3);
    inbound.buffer().extend_from_slice(&stream);
    let (received, refusal) = frames(&mut inbound);
    assert_eq!((received.len(), refusal), (2, None));
    drop(received);
    assert!(inbound.has_partial(), "what came after it is still there");
    inbound.buffer().reserve(64 << 10);
    assert!(inbound.buffer().capacity() < 1 << 20);
    inbound.buffer().extend_from_slice(&[0; 3]);
    assert_eq!(frames(&mut inbound).0[0].kind, Kind::Cancel);
}

#[test]
fn messages_are_cut_and_cleaned() {
    let mut out = Vec::new();
    write_fail(
        &mut out,
        1,
        &fail_part(2, Execution::Executed, 0),
        &"ä".repeat(9_000),
    );
    assert!(out.len() < 4_100);
    let said = |body: &[u8]| read_message(body);
    assert_eq!(
        said(b"\x92\xa3a\nb\x07"),
        "ab",
        "later versions add elements"
    );
    for unreadable in [
        &b""[..],
        b"\x90",
        b"\x91\x07",
        b"\x91\xd9\xff",
        b"\x91\xa1\xff",
        b"\xc1",
    ] {
        assert_eq!(said(unreadable), "");
    }
}

// ---- positions -------------------------------------------------------------------------------------------------------

proptest! {
    /// Frames are appended, taken by a writer, and handed to the kernel in pieces; what is known of each is exact.
    #[test]
    fn what_is_known_of_a_frame_follows_from_what_the_kernel_has(
        steps in vec((0..3_u8, 1..200_usize), 1..60),
    ) {
        let (mut out, mut sent, mut batch) = (Outbound::default(), Vec::new(), 0);
        for (step, amount) in steps {
            match step {
                0 => {
                    let start = out.end();
                    let params = vec![0; amount];
                    let part = CallPart { call_id: 0, remaining_ms: 0 };
                    write_call(out.buffer(), 1, &CallFrame { part, flags: 0, target: None, metadata: &[], params: &params, large: None, lent: &[] });
                    sent.push((start, out.end()));
                }
                1 => batch += out.take(Vec::new()).len(),
                _ => {
                    let count = amount.min(batch);
                    out.handed_over(count);
                    batch -= count;
                }
            }
            prop_assert!(out.handed() <= out.offered() && out.offered() <= out.end());
            prop_assert_eq!(out.unsent(), out.end() - out.handed());
            prop_assert_eq!(out.offered() - out.handed(), batch as u64);
            prop_assert_eq!(out.is_empty(), out.offered() == out.end());
            for (start, end) in &sent {
                let bytes_there = out.handed().saturating_sub(*start).min(end - start);
                let expected = match bytes_there {
                    0 => Execution::NotSent,
                    some if some < end - start => Execution::NotStarted,
                    _ => Execution::Unknown,
                };
                prop_assert_eq!(execution(*start, *end, out.handed()), expected);
            }
        }
        // Exactly the frames that no writer has can be made padding.
        for (start, _) in sent {
            let offered = out.offered();
            prop_assert_eq!(out.void(start), start >= offered);
        }
        let mut inbound = Inbound::server(&Limits::default());
        inbound.buffer().extend_from_slice(&opened());
        inbound.buffer().extend_from_slice(out.buffer());
        let (received, refusal) = frames(&mut inbound);
        prop_assert_eq!((received.len(), refusal), (1, None), "only HELLO is left");
    }

    #[test]
    fn after_is_an_order_across_the_wrap(line in any::<u32>(), distance in 1..1_u32 << 31) {
        prop_assert!(is_after(line.wrapping_add(distance), line));
        prop_assert!(!is_after(line, line.wrapping_add(distance)));
        prop_assert!(!is_after(line, line));
    }
}

// ---- calls -----------------------------------------------------------------------------------------------------------

/// What the model knows of a call that has a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Waiting {
        deadline: Option<u64>,
        place: u64,
    },
    /// Answered or expired, not taken; whether the peer still owes its terminal frame.
    Answered {
        owed: bool,
        result: Option<Execution>,
    },
    /// Nobody waits; the peer owes its terminal frame.
    Abandoned,
}

#[derive(Clone, Debug)]
enum Step {
    Begin(Option<u64>),
    OneWay,
    /// The terminal frame for the n-th known call, or for a stranger.
    Answer(usize),
    Stranger(u32),
    Poll(usize),
    Take(usize),
    Abandon(usize),
    Expire(u64),
    Handed(u64),
    /// GOAWAY with the n-th known call as the last one.
    GoAway(usize),
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::option::of(0..100_u64).prop_map(Step::Begin),
        1 => Just(Step::OneWay),
        4 => any::<usize>().prop_map(Step::Answer),
        1 => any::<u32>().prop_map(Step::Stranger),
        2 => any::<usize>().prop_map(Step::Poll),
        3 => any::<usize>().prop_map(Step::Take),
        2 => any::<usize>().prop_map(Step::Abandon),
        2 => (0..100_u64).prop_map(Step::Expire),
        2 => (0..2_000_u64).prop_map(Step::Handed),
        1 => any::<usize>().prop_map(Step::GoAway),
        1 => Just(Step::End),
    ]
}

/// Length of every frame in the model.
const LENGTH: u64 = 20;

struct Model {
    calls: Calls,
    max: u32,
    known: HashMap<u32, Known>,
    /// In the order they began.
    order: Vec<u32>,
    zero: Instant,
    end: u64,
    handed: u64,
}

impl Model {
    fn new(first: u32, max: u32) -> Self {
        Self {
            calls: Calls::starting_at(first, max),
            max,
            known: HashMap::new(),
            order: Vec::new(),
            zero: Instant::now(),
            end: 0,
            handed: 0,
        }
    }

    fn at(&self, millis: u64) -> Instant {
        self.zero + Duration::from_millis(millis)
    }

    fn pick(&self, index: usize) -> Option<u32> {
        let live: Vec<_> = self
            .order
            .iter()
            .filter(|id| self.known.contains_key(id))
            .collect();
        (!live.is_empty()).then(|| *live[index % live.len()])
    }

    fn begin(&mut self, deadline: Option<u64>) -> Option<u32> {
        let id = self
            .calls
            .begin(deadline.map(|millis| self.at(millis)), None);
        assert_eq!(id.is_some(), (self.known.len() as u32) < self.max);
        let id = id?;
        assert_ne!(id, 0);
        assert!(!self.known.contains_key(&id), "{id} is in use");
        if let Some(last) = self.order.last() {
            assert!(is_after(id, *last), "{id} after {last}");
        }
        let place = self.end;
        self.end += LENGTH;
        self.calls.sent_at(id, place, self.end);
        self.known.insert(id, Known::Waiting { deadline, place });
        self.order.push(id);
        Some(id)
    }

    fn execution(&self, place: u64) -> Execution {
        execution(place, place + LENGTH, self.handed)
    }

    fn check_taken(&mut self, id: u32, answer: Option<Answer>) {
        let Some(Known::Answered { owed, result }) = self.known.get(&id).copied() else {
            return assert!(answer.is_none(), "{id} gives {answer:?}");
        };
        match (answer.expect("an answer"), result) {
            (Answer::Result(body), None) => assert_eq!(body, id.to_le_bytes()[..]),
            (Answer::Failed(error), Some(known)) => assert_eq!(error.execution(), known),
            (answer, expected) => panic!("{answer:?}, not {expected:?}"),
        }
        self.gone_here(id, owed);
    }

    /// Nobody waits any more at this side.
    fn gone_here(&mut self, id: u32, owed: bool) {
        if owed {
            self.known.insert(id, Known::Abandoned);
        } else {
            self.known.remove(&id);
        }
    }

    fn end_where(&mut self, verdict: impl Fn(u32, u64) -> Option<Execution>) {
        for (id, known) in &mut self.known {
            if let Known::Waiting { place, .. } = known
                && let Some(execution) = verdict(*id, *place)
            {
                let (owed, result) = (false, Some(execution));
                *known = Known::Answered { owed, result };
            }
        }
    }

    fn run(&mut self, step: &Step) {
        let error = Error::new(ErrorKind::Unavailable, "ended");
        match step {
            Step::Begin(deadline) => drop(self.begin(*deadline)),
            Step::OneWay => {
                if let Some(id) = self.begin(None) {
                    self.calls.release(id);
                    self.known.remove(&id);
                }
            }
            Step::Answer(index) => {
                let Some(id) = self.pick(*index) else { return };
                let answer = Answer::Result(Bytes::copy_from_slice(&id.to_le_bytes()));
                self.calls.answered(id, answer);
                match self.known.get_mut(&id) {
                    Some(known @ Known::Waiting { .. }) => {
                        *known = Known::Answered {
                            owed: false,
                            result: None,
                        };
                    }
                    Some(Known::Answered { owed, .. }) => *owed = false,
                    _ => drop(self.known.remove(&id)),
                }
            }
            Step::Stranger(id) => {
                if !self.known.contains_key(id) {
                    let answer = Answer::Result(Bytes::new());
                    assert!(self.calls.answered(*id, answer).is_none());
                }
            }
            Step::Poll(index) => {
                let Some(id) = self.pick(*index) else { return };
                if self.known[&id] != Known::Abandoned {
                    let answer = self.calls.poll(id, Waker::noop());
                    self.check_taken(id, answer);
                }
            }
            Step::Take(index) => {
                let Some(id) = self.pick(*index) else { return };
                let answer = self.calls.try_take(id);
                self.check_taken(id, answer);
            }
            Step::Abandon(index) => {
                let Some(id) = self.pick(*index) else { return };
                let tell = self.calls.abandon(id);
                match self.known[&id] {
                    Known::Waiting { .. } => {
                        assert!(tell.0);
                        self.known.insert(id, Known::Abandoned);
                    }
                    Known::Answered { owed, .. } => {
                        assert!(!tell.0);
                        self.gone_here(id, owed);
                    }
                    Known::Abandoned => assert!(!tell.0),
                }
            }
            Step::Expire(now) => self.expire(*now),
            Step::Handed(more) => self.handed = (self.handed + more).min(self.end),
            Step::GoAway(index) => {
                let Some(last_id) = self.pick(*index) else {
                    return;
                };
                self.calls
                    .refuse_above(&go_away_part(last_id), &error, |_| {});
                let refused = |id, _| is_after(id, last_id).then_some(Execution::NotStarted);
                self.end_where(refused);
            }
            Step::End => {
                self.calls.end_all(self.handed, &error);
                let handed = self.handed;
                self.end_where(|_, place| Some(execution(place, place + LENGTH, handed)));
            }
        }
    }

    fn expire(&mut self, now: u64) {
        let mut told = Vec::new();
        let next = self
            .calls
            .expire(self.at(now), self.handed, |id, _| told.push(id));
        let (mut late, mut due) = (Vec::new(), None::<u64>);
        for (id, known) in &self.known {
            match known {
                Known::Waiting {
                    deadline: Some(deadline),
                    place,
                } if *deadline <= now => {
                    late.push((*id, self.execution(*place)));
                }
                Known::Waiting {
                    deadline: Some(deadline),
                    ..
                } => {
                    due = Some(due.map_or(*deadline, |due| due.min(*deadline)));
                }
                _ => {}
            }
        }
        assert_eq!(next, due.map(|due| self.at(due)));
        told.sort_unstable();
        late.sort_unstable_by_key(|(id, _)| *id);
        assert_eq!(told, late.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        for (id, execution) in late {
            let (owed, result) = (true, Some(execution));
            self.known.insert(id, Known::Answered { owed, result });
        }
    }

    /// Every call is given up, and the peer answers all that it owes.
    fn settle(&mut self) {
        for id in self.order.clone() {
            if self.known.contains_key(&id) {
                self.calls.abandon(id);
                self.calls.answered(id, Answer::Result(Bytes::new()));
            }
        }
        assert_eq!(self.calls.live(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn calls_behave_like_a_simple_model_and_lose_no_slot(
        before_the_wrap in 0..60_u32,
        max in 1..40_u32,
        steps in vec(step(), 0..200),
    ) {
        let mut model = Model::new(0_u32.wrapping_sub(before_the_wrap), max);
        for step in &steps {
            model.run(step);
            prop_assert_eq!(model.calls.live() as usize, model.known.len());
            prop_assert_eq!(model.calls.has_room(), model.calls.live() < max);
        }
        model.settle();
    }
}

#[test]
fn an_id_that_is_in_use_after_the_wrap_is_left_out() {
    let mut calls = Calls::starting_at(u32::MAX - 1, 8);
    let ids: Vec<_> = (0..4).map(|_| calls.begin(None, None).unwrap()).collect();
    assert_eq!(ids, [u32::MAX - 1, u32::MAX, 1, 2], "0 is left out");
    let mut calls = Calls::new(4);
    let long = calls.begin(None, None).unwrap();
    for _ in 0..100 {
        let id = calls.begin(None, None).unwrap();
        // The slot of the long call would be the same for both.
        assert_ne!(id % 16, long % 16);
        calls.release(id);
    }
    assert_eq!(calls.live(), 1);
}

#[test]
fn an_answer_on_a_connection_without_calls_is_ignored() {
    let mut calls = Calls::new(4);
    for id in [0, 1, u32::MAX] {
        assert!(calls.answered(id, Answer::Result(Bytes::new())).is_none());
    }
    assert_eq!(calls.live(), 0);
}

#[test]
fn a_call_that_expires_unsent_is_padding_and_owes_nothing() {
    let now = Instant::now();
    let (mut calls, mut out) = (Calls::new(4), Outbound::default());
    let begin = |calls: &mut Calls, out: &mut Outbound| {
        let id = calls.begin(Some(now), None).unwrap();
        let start = out.end();
        let part = CallPart {
            call_id: 9,
            remaining_ms: 0,
        };
        write_call(
            out.buffer(),
            id,
            &CallFrame {
                part,
                flags: 0,
                metadata: &[],
                params: &[0x90],
                large: None,
                lent: &[],
                target: None,
            },
        );
        calls.sent_at(id, start, out.end());
        id
    };
    let taken = begin(&mut calls, &mut out);
    drop(out.take(Vec::new()));
    let waiting = begin(&mut calls, &mut out);
    assert_eq!(calls.beyond(out.handed()).len(), 2);
    calls.expire_unsent(now, &mut out, |_| {});
    let mut cancelled = Vec::new();
    calls.expire(now, out.offered(), |id, _| cancelled.push(id));
    assert_eq!(cancelled, [taken]);
    let execution = |answer| match answer {
        Some(Answer::Failed(error)) => error.execution(),
        other => panic!("{other:?}"),
    };
    assert_eq!(execution(calls.try_take(waiting)), Execution::NotSent);
    assert_eq!(execution(calls.try_take(taken)), Execution::Unknown);
    assert_eq!(calls.live(), 1, "only the sent one is owed an answer");
    assert_eq!(out.buffer()[KIND_AT], PADDING);
}

#[test]
fn no_peer_has_us_keep_any_number_of_calls() {
    for (announced, made) in [
        (0, 1),
        (1, 1),
        (256, 256),
        (65_536, 65_536),
        (u32::MAX, 65_536),
    ] {
        let hello = Hello {
            max_inflight: announced,
            ..Hello::default()
        };
        assert_eq!(hello.inflight(), made);
    }
}
