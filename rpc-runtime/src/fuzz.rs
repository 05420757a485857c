//! Properties of the protocol core that hold for all bytes, for fuzz targets and for the replay of their corpora.
//!
//! Each function takes what a fuzzer has thought of and panics if the property does not hold.

use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::codec::{CheckLimits, check_prefix};
use crate::error::Error;
use crate::limits::Limits;
use crate::link::{first_frame, read_answer};
use crate::metadata::{self, Metadata};
use crate::transport::mem;
use crate::wire::calls::{Answer, Calls};
use crate::wire::frame::{self, CallFrame, CallPart, Frame, Kind, PREFACE, flag};
use crate::wire::hello::Hello;
use crate::wire::inbound::{Inbound, Refusal, plain_client};
use crate::wire::outbound::Outbound;
use crate::wire::pieces::{Added, Piece, Pieces};
use crate::wire::run::{self, Unread};
use crate::wire::sending::{self, Sending, Sent};
use crate::wire::streams::{Grant, Key, Next, Side, Streams};

/// Windows, and largest body, of the core under test: small, so that short input reaches their ends.
const STREAM_WINDOW: u32 = 600;
const CONNECTION_WINDOW: u32 = 1_000;
const MAX_BODY: u64 = 2_000;
const MAX_FRAME: u32 = 4_096;
const MEMORY: u64 = 8_000;

/// The connection would end here.
#[derive(Debug)]
struct Over;

/// What comes before HELLO, and HELLO: the first byte says how the rest is cut into reads.
///
/// However the bytes are cut, the outcome is the same; a HELLO that was read is written and read again as the same; a
/// stranger's answer is whole in the stranger's own protocol.
pub fn handshake(data: &[u8]) {
    let (cut, bytes) = cut_and_bytes(data);
    let limits = small_limits();
    for start in [Inbound::server, Inbound::client] {
        let whole = first(start(&limits), bytes, bytes.len());
        let pieces = first(start(&limits), bytes, cut);
        assert_eq!(whole, pieces, "reads of {cut} bytes make a difference");
    }
    // The preface itself is soon found by chance, what follows it is not.
    let with_preface = [&PREFACE[..], bytes].concat();
    let _ = first(Inbound::server(&limits), &with_preface, cut);
    for refusal in [plain_client(bytes), stranger(bytes, &limits)] {
        if let Some(Refusal::Foreign { protocol, answer }) = refusal
            && protocol == "MessagePack-RPC"
        {
            let length = check_prefix(&answer, &CheckLimits::default());
            assert_eq!(length, Ok(Some(answer.len())), "{answer:02x?}");
        }
    }
}

/// The first words of a peer, as far as they tell something.
#[derive(Debug, PartialEq)]
enum First {
    Nothing,
    Hello(Box<Hello>),
    TurnedAway,
    Refused(Refusal),
}

fn first(mut inbound: Inbound, bytes: &[u8], cut: usize) -> First {
    for read in bytes.chunks(cut.max(1)) {
        inbound.buffer().extend_from_slice(read);
        match inbound.next_frame() {
            Ok(None) => {}
            Err(refusal) => {
                // How much of the stranger's first words is here when they are recognised depends on the cut.
                return First::Refused(match refusal {
                    Refusal::Foreign { protocol, .. } => Refusal::Foreign {
                        protocol,
                        answer: Vec::new(),
                    },
                    Refusal::Frame(reason, _) => Refusal::Frame(reason, String::new()),
                });
            }
            Ok(Some(frame)) => {
                let Ok(hello) = first_frame(&frame, "fuzz") else {
                    return First::TurnedAway;
                };
                let again = Hello::decode(&hello.encode());
                assert_eq!(again.as_ref(), Ok(&hello), "HELLO changes by being written");
                return First::Hello(Box::new(hello));
            }
        }
    }
    First::Nothing
}

fn stranger(bytes: &[u8], limits: &Limits) -> Option<Refusal> {
    let mut inbound = Inbound::server(limits);
    inbound.buffer().extend_from_slice(bytes);
    inbound.next_frame().err()
}

/// Frames after HELLO: the first byte says how the rest is cut into reads.
///
/// However the bytes are cut, the same frames come out; no more than one incomplete frame is kept; and whatever frames
/// come, the tables of calls, streams and cut bodies keep to their bounds and end empty.
pub fn frame(data: &[u8]) {
    let (cut, bytes) = cut_and_bytes(data);
    let (frames, refusal) = frames(bytes, bytes.len());
    let (again, refused) = self::frames(bytes, cut);
    assert_eq!(refusal.is_some(), refused.is_some());
    assert_eq!(frames.len(), again.len(), "reads of {cut} bytes differ");
    for (one, other) in frames.iter().zip(&again) {
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }
    let mut core = Core::new();
    for frame in &frames {
        look_at(frame);
        if core.on_frame(frame).is_err() {
            break;
        }
        core.check();
    }
    core.end();
}

fn frames(bytes: &[u8], cut: usize) -> (Vec<Frame>, Option<Refusal>) {
    let mut inbound = Inbound::client(&small_limits());
    let mut hello = Vec::new();
    frame::write_hello(&mut hello, &[0x80]);
    inbound.buffer().extend_from_slice(&hello);
    assert!(matches!(inbound.next_frame(), Ok(Some(_))));
    let mut frames = Vec::new();
    // Items that may be taken together must be the same one by one.
    let mut together = VecDeque::new();
    for read in bytes.chunks(cut.max(1)) {
        inbound.buffer().extend_from_slice(read);
        loop {
            if together.is_empty()
                && let Some(run) = inbound.run()
            {
                let (mut items, count) = Unread::from(run).freeze();
                together.extend(std::iter::from_fn(|| run::next_of(&mut items)));
                assert_eq!((together.len(), items.len()), (count as usize, 0));
            }
            match inbound.next_frame() {
                Ok(Some(frame)) => {
                    let body = together.pop_front();
                    assert!(body.is_none_or(|body| frame.kind == Kind::Item && frame.body == body));
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(refusal) => return (frames, Some(refusal)),
            }
        }
        assert!(together.is_empty(), "items of a run are missing");
        let kept = inbound.buffer().len();
        assert!(kept <= MAX_FRAME as usize + 4, "{kept} bytes are kept");
    }
    (frames, None)
}

/// Everything that is ever asked of a frame.
fn look_at(frame: &Frame) {
    let limits = Limits::default();
    match frame.kind {
        Kind::Call => {
            let _ = (frame.call_part(), frame.target());
            let entries = Metadata::decode(&frame.metadata, &limits);
            let found = metadata::find(&frame.metadata, "traceparent");
            if let Ok(entries) = entries {
                // A value that is nil is none to one, and empty to the other.
                assert!(found.is_none() || found == entries.get("traceparent"));
                // What was read can be written, unless its other form is longer than is allowed.
                if let Ok(section) = entries.encode(&limits) {
                    assert_eq!(Metadata::decode(&section, &limits).ok(), Some(entries));
                }
            }
        }
        Kind::Reply | Kind::Fail => drop(read_answer(frame.clone(), "fuzz")),
        Kind::GoAway => {
            let _ = (frame.go_away_part(), frame::read_message(&frame.body));
        }
        Kind::Credit => drop(frame.credit()),
        Kind::Release => drop(frame.released()),
        _ => {}
    }
}

/// The sans-IO core with calls of both sides open, driven as a link drives it.
struct Core {
    calls: Calls,
    out: Outbound,
    streams: Streams,
    pieces: Pieces,
    /// Requests that are open, with their streams.
    open: Vec<Key>,
    uploads: Vec<(Key, Sending)>,
    now: Instant,
    /// Credit that the peer has had for all streams, and bytes of items that came.
    granted: u64,
    came: u64,
}

impl Core {
    fn new() -> Self {
        let hello = Hello {
            max_frame: MAX_FRAME,
            max_message: 1 << 20,
            max_inflight: 16,
            stream_window: STREAM_WINDOW,
            connection_window: CONNECTION_WINDOW,
            ..Hello::default()
        };
        let mut core = Self {
            calls: Calls::new(hello.max_inflight),
            out: Outbound::default(),
            streams: Streams::new(
                (STREAM_WINDOW, CONNECTION_WINDOW),
                (hello.stream_window, hello.connection_window),
                hello.whole(),
            ),
            pieces: Pieces::default(),
            open: Vec::new(),
            uploads: Vec::new(),
            now: Instant::now(),
            granted: u64::from(CONNECTION_WINDOW),
            came: 0,
        };
        // Our calls 1 to 8: unary, both ways, up, down; and some of the peer's with the same numbers.
        let params = vec![0xc0; 70 << 10];
        for number in 0..8_u32 {
            let flags = [
                0,
                flag::STREAM_IN | flag::STREAM_OUT,
                flag::STREAM_IN,
                flag::STREAM_OUT,
            ];
            let call = CallFrame {
                part: CallPart {
                    call_id: 1,
                    remaining_ms: 0,
                },
                flags: flags[number as usize % 4],
                target: None,
                metadata: &[],
                params: if number < 4 { &[0x90] } else { &params },
                large: None,
                lent: &[],
            };
            let Some(id) = core.calls.begin(None, None) else {
                continue;
            };
            let tables = (&mut core.calls, &mut core.out, &mut core.streams);
            sending::write_call(id, &call, &[], (&hello, None), tables);
            core.open.push((Side::Ours, id));
            core.uploads.push(((Side::Ours, id), Sending::ours(id)));
        }
        core
    }

    fn on_frame(&mut self, frame: &Frame) -> Result<(), Over> {
        let id = frame.request_id;
        let ours = (Side::Ours, id);
        let from = if frame.flags & flag::CALLEE == 0 {
            (Side::Theirs, id)
        } else {
            ours
        };
        match frame.kind {
            Kind::Call => return self.on_call(frame),
            Kind::Reply | Kind::Fail => self.on_answer(frame),
            Kind::Item => return self.on_item(from, frame),
            Kind::Data => return self.on_data(from, frame),
            Kind::End if self.pieces.contains((Side::Theirs, id)) => return Err(Over),
            Kind::End => drop(self.streams.ended((Side::Theirs, id))),
            Kind::Credit if id == 0 => drop(self.streams.credit_all(frame.credit())),
            Kind::Credit if frame.flags & flag::STOP != 0 => drop(self.streams.stopped(from)),
            Kind::Credit => drop(self.streams.credit(from, frame.credit())),
            Kind::Cancel => self.close((Side::Theirs, id)),
            Kind::GoAway => {
                let error = Error::unavailable("away");
                drop(
                    self.calls
                        .refuse_above(&frame.go_away_part(), &error, |_| {}),
                );
            }
            // Readers and writers come by.
            Kind::Ping => self.read(),
            Kind::Pong => self.upload(),
            Kind::Release | Kind::Hello => {}
        }
        Ok(())
    }

    fn on_call(&mut self, frame: &Frame) -> Result<(), Over> {
        let key = (Side::Theirs, frame.request_id);
        if key.1 == 0 || self.open.contains(&key) {
            return Err(Over);
        }
        if self.open.len() >= 24 {
            return Ok(());
        }
        let (inward, outward) = (
            frame.flags & flag::STREAM_IN != 0,
            frame.flags & flag::STREAM_OUT != 0,
        );
        if frame.flags & flag::MORE != 0 && self.has_memory(frame) {
            self.pieces.begin(key, frame.clone(), true, self.now);
        }
        if inward || outward {
            self.streams.open(key, inward, outward);
        }
        self.open.push(key);
        if outward {
            self.uploads.push((key, Sending::theirs(key.1)));
        }
        Ok(())
    }

    fn on_answer(&mut self, frame: &Frame) {
        let ours = (Side::Ours, frame.request_id);
        if frame.kind == Kind::Reply && frame.flags & flag::MORE != 0 {
            if let Some(wanted) = self.calls.is_owed(ours.1)
                && self.has_memory(frame)
            {
                self.pieces.begin(ours, frame.clone(), wanted, self.now);
            }
            return;
        }
        self.pieces.drop_body(ours);
        drop(
            self.calls
                .answered(ours.1, read_answer(frame.clone(), "fuzz")),
        );
        drop(self.streams.stopped(ours));
        self.out.drop_body(ours);
    }

    fn on_item(&mut self, from: Key, frame: &Frame) -> Result<(), Over> {
        self.came(from, frame)?;
        if self.pieces.contains(from) {
            return Err(Over);
        }
        if !self.streams.receives(from) {
            // The request is over, or its reader is gone.
        } else if frame.flags & flag::MORE != 0 {
            self.pieces.begin(from, frame.clone(), true, self.now);
        } else {
            drop(self.streams.keep(from, frame.clone()));
        }
        self.grant(from);
        Ok(())
    }

    fn on_data(&mut self, from: Key, frame: &Frame) -> Result<(), Over> {
        let of_item = frame.flags & flag::OF_ITEM != 0;
        if of_item {
            self.came(from, frame)?;
        }
        if self.pieces.is_item(from).is_some_and(|it| it != of_item) {
            return Err(Over);
        }
        if !self.has_memory(frame) && self.pieces.keeps(from) {
            self.pieces.drop_body(from);
            return Ok(());
        }
        match self
            .pieces
            .add(from, Piece::Framed(frame.clone()), MAX_BODY, self.now)
        {
            Added::Unknown | Added::More => self.grant(from),
            Added::Whole(whole, _) => {
                assert_eq!(whole.flags & flag::MORE, 0);
                match whole.kind {
                    Kind::Item => {
                        drop(self.streams.keep(from, whole));
                        self.grant(from);
                    }
                    Kind::Reply => self.on_answer(&whole),
                    _ => {}
                }
            }
            Added::TooLarge(front) if front.kind == Kind::Item => {
                drop(self.streams.broke(from, Error::unavailable("too large")));
            }
            Added::TooLarge(_) => {}
        }
        Ok(())
    }

    fn has_memory(&self, frame: &Frame) -> bool {
        self.streams.held() + self.pieces.held() + frame.body.len() as u64 <= MEMORY
    }

    /// Pays for a frame of a stream; without credit, a link ends the connection.
    fn came(&mut self, from: Key, frame: &Frame) -> Result<(), Over> {
        self.streams.came(from, frame.cost()).map_err(|_| Over)?;
        self.came += frame.cost();
        Ok(())
    }

    fn grant(&mut self, key: Key) {
        let (connection, stream) = self.streams.grants(key, key.1.is_multiple_of(2));
        self.count(connection);
        self.out.grant(connection, (Side::Ours, 0));
        self.out.grant(stream, key);
    }

    fn count(&mut self, grant: Grant) {
        self.granted += u64::from(grant.unwrap_or_default());
    }

    fn read(&mut self) {
        for key in self.open.clone() {
            if let Next::Item(body) = self.streams.next(key, None) {
                assert!(body.len() as u64 <= MAX_BODY.max(u64::from(CONNECTION_WINDOW)));
                self.grant(key);
            }
        }
    }

    fn upload(&mut self) {
        for (_, sending) in &mut self.uploads {
            let body = sending.next_body();
            body.resize(100, 0xc0);
            let sent = sending.advance(&mut self.streams, &mut self.out, 1 << 20, None);
            assert_ne!(sent, Sent::NoRoom);
        }
        let taken = self.out.take(Vec::new());
        self.out.handed_over(taken.len());
    }

    fn close(&mut self, key: Key) {
        let (connection, _) = self.streams.close(key);
        self.count(connection);
        self.pieces.discard(key);
        self.out.drop_body(key);
        self.open.retain(|known| *known != key);
        self.uploads.retain(|(known, _)| *known != key);
    }

    fn check(&self) {
        // Frames of streams that nobody reads any more are paid for and not held.
        assert!(self.came <= self.granted, "more came than was granted");
        let window = u64::from(CONNECTION_WINDOW);
        let held = self.streams.held() + self.pieces.held();
        assert!(held <= MEMORY + window, "{held} bytes are held");
        assert!(self.granted <= self.came + window, "too much is granted");
        assert!(self.out.handed() <= self.out.end());
    }

    fn end(mut self) {
        let error = Error::unavailable("over");
        drop(self.calls.end_all(self.out.handed(), &error));
        drop(self.streams.end_all(&error));
        for key in self.open.clone() {
            // What came is read to its end, and then there is one.
            let mut items = 0;
            while let Next::Item(_) = self.streams.next(key, None) {
                items += 1;
                assert!(items < 10_000, "a stream without end");
            }
            if key.0 == Side::Ours {
                // A call is over once: with its answer, or with the connection.
                let answer = self.calls.try_take(key.1);
                assert!(answer.is_some_and(|answer| match answer {
                    Answer::Result(_) | Answer::Declared(..) | Answer::Failed(_) => true,
                    Answer::Lent(_) => false,
                }));
            }
            self.close(key);
        }
        assert_eq!(self.calls.live(), 0, "a call keeps its slot");
        assert_eq!(self.streams.held(), 0, "closed streams hold something");
        self.pieces.clear();
        self.out.drop_bodies();
        let mut rounds = 0;
        while !self.out.is_empty() {
            let taken = self.out.take(Vec::new());
            self.out.handed_over(taken.len());
            rounds += 1;
            assert!(rounds < 10_000, "output without end");
        }
        assert_eq!(self.out.unsent(), 0);
    }
}

/// How the bytes are cut into reads, and the bytes.
fn cut_and_bytes(data: &[u8]) -> (usize, &[u8]) {
    match data.split_first() {
        Some((&cut, bytes)) => (usize::from(cut).max(1), bytes),
        None => (1, &[]),
    }
}

fn small_limits() -> Limits {
    Limits {
        max_frame_bytes: MAX_FRAME,
        max_frame_bytes_before_hello: MAX_FRAME,
        ..Limits::default()
    }
}

/// One end of a connection in memory, to be used by hand.
#[allow(missing_debug_implementations, reason = "two boxes")]
pub struct End {
    /// What the other side sends.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What the other side reads.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Connects to a server that listens on `mem://name`, and says nothing.
///
/// # Errors
///
/// Nobody listens there.
pub fn dial(name: &str) -> io::Result<End> {
    let (reader, writer) = mem::connect_halves(name)?;
    Ok(End {
        reader: Box::new(reader),
        writer: Box::new(writer),
    })
}

/// Takes `mem://name` like a server, and says nothing by itself.
pub struct Listener(mem::MemListener);

impl Listener {
    /// Takes a name.
    ///
    /// # Errors
    ///
    /// It is taken.
    pub fn bind(name: &str) -> io::Result<Self> {
        mem::listen(name).map(Self)
    }

    /// The next connection.
    ///
    /// # Errors
    ///
    /// There will be none.
    pub async fn accept(&mut self) -> io::Result<End> {
        let io = self.0.accept().await?;
        Ok(End {
            reader: io.reader,
            writer: io.writer,
        })
    }
}
