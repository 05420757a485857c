//! MessagePack-RPC messages to frames and back, without I/O: a link behind it knows nothing of the other language.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::message::{self, Broken, Message, Messages, NIL};
use super::names::{Names, Spoken};
use super::text;
use super::{Door, ErrorForm, FEATURE};
use crate::codec::{CheckLimits, check, write};
use crate::error::Execution;
use crate::limits::Limits;
use crate::status::Status;
use crate::wire::frame::{self, CallFrame, CallPart, FailPart, Frame, Kind, PREFACE, flag};
use crate::wire::hello::Hello;
use crate::wire::inbound::Inbound;
use crate::wire::outbound::PIECE;

/// One connection's translation, both directions.
///
/// For the link it is a peer: it says HELLO in the name of the real one, answers PING, and ends cancelled calls, none
/// of which MessagePack-RPC has.
#[derive(Debug)]
pub(super) struct Translator {
    /// What the peer sent and is not translated yet.
    input: Messages,
    /// What the link sent and is not translated yet.
    from_link: Inbound,
    /// Frames for the link.
    frames: BytesMut,
    /// Messages for the peer.
    output: Vec<u8>,
    side: Side,
    names: Arc<Names>,
    spoken: Arc<Spoken>,
    form: ErrorForm,
    hello: Hello,
    /// Whether the link has our HELLO, and gets frames.
    greeted: bool,
    /// Bytes of a first message that are taken before the link is told of its peer.
    before_hello: usize,
    /// Larger parameters and results are handed on in pieces of this size, as a native peer would send them.
    piece: usize,
    /// Requests of the peer that are not answered, by the ID that they have as a frame.
    asked: HashMap<u32, Asked>,
    next_id: u32,
    /// How often a peer that asks for unknown methods is still told which ones there are.
    explanations: u32,
    /// Why no more input is taken.
    broken: Option<String>,
    /// Why the link ends.
    farewell: Option<String>,
}

/// Which end of the connection is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Server,
    Client,
}

#[derive(Debug)]
struct Asked {
    /// The peer's own ID.
    id: u64,
    /// What to say instead of the link's answer: it does not know what the peer has written.
    refusal: Option<String>,
}

impl Translator {
    /// For a server whose peer has sent `received` and nothing else yet.
    pub(super) fn server(received: BytesMut, door: &Door, limits: &Limits) -> Self {
        let (names, spoken) = (door.names.clone(), door.spoken.clone());
        Self {
            input: Messages::new(received, limits),
            form: door.form,
            ..Self::new(Side::Server, names, spoken, limits)
        }
    }

    /// For a client: the peer waits for what is asked.
    pub(super) fn client(spoken: Arc<Spoken>, exports: Arc<Names>, limits: &Limits) -> Self {
        Self::new(Side::Client, exports, spoken, limits)
    }

    fn new(side: Side, names: Arc<Names>, spoken: Arc<Spoken>, limits: &Limits) -> Self {
        let from_link = match side {
            Side::Server => Inbound::client(&Self::of_link()),
            Side::Client => Inbound::server(&Self::of_link()),
        };
        let hello = Hello {
            agent: "MessagePack-RPC".to_owned(),
            // The peer cannot say what it accepts; whoever calls or answers it must know.
            max_frame: u32::MAX,
            max_inflight: limits.max_inflight_per_connection,
            features: vec![FEATURE.to_owned()],
            ..Hello::default()
        };
        Self {
            input: Messages::new(BytesMut::new(), limits),
            from_link,
            frames: BytesMut::new(),
            output: Vec::new(),
            side,
            names,
            spoken,
            form: ErrorForm::default(),
            hello,
            greeted: false,
            before_hello: limits.max_frame_bytes_before_hello as usize,
            piece: (limits.max_frame_bytes as usize)
                .saturating_sub(FRAME_FRONT)
                .clamp(1, PIECE),
            asked: HashMap::new(),
            next_id: 1,
            explanations: EXPLANATIONS,
            broken: None,
            farewell: None,
        }
    }

    /// The link's own frames are not limited again.
    fn of_link() -> Limits {
        Limits {
            max_frame_bytes: u32::MAX,
            max_frame_bytes_before_hello: u32::MAX,
            max_metadata_bytes: u16::MAX,
            ..Limits::default()
        }
    }

    /// Where bytes of the peer are appended; [`Translator::take_input`] follows.
    pub(super) fn input(&mut self) -> &mut BytesMut {
        self.input.buffer()
    }

    /// Frames for the link.
    pub(super) fn frames(&mut self) -> &mut BytesMut {
        &mut self.frames
    }

    /// Messages for the peer.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Whether part of a message is here and the rest is not.
    pub(super) fn has_partial(&self) -> bool {
        self.broken.is_none() && self.input.has_partial()
    }

    /// Why no more input is taken, once it has gone wrong.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Translates whole messages that are here, as many as make enough frames for the link to go on with; gives how many
    /// there were. It is called again when those frames are gone.
    pub(super) fn take_input(&mut self) -> usize {
        let mut count = 0;
        while self.broken.is_none() && self.frames.len() < AHEAD {
            match self.input.next_message() {
                Ok(Some(message)) => self.on_message(message),
                Ok(None) => break,
                Err(broken) => self.give_up(broken),
            }
            count += 1;
        }
        if self.input.waiting() >= self.before_hello {
            self.greet();
        }
        count
    }

    /// The rest of a message did not come.
    pub(super) fn interrupted(&mut self, why: String) {
        let id = self.input.partial_id();
        self.give_up(Broken { id, text: why });
    }

    /// The connection ends: whoever still waits for an answer gets one.
    pub(super) fn close(&mut self) {
        let reason = self.farewell.take();
        let reason = reason.as_deref().unwrap_or("the connection was closed");
        if !self.greeted && self.side == Side::Server {
            let id = self.input.partial_id().unwrap_or(0);
            return self.write_error(id, Status::Unavailable, reason);
        }
        let mut open: Vec<u64> = self.asked.drain().map(|(_, asked)| asked.id).collect();
        open.sort_unstable();
        for id in open {
            self.write_error(id, Status::Unavailable, reason);
        }
    }

    /// Takes bytes that the link has written.
    pub(super) fn take_frames(&mut self, bytes: &[u8]) {
        self.from_link.buffer().extend_from_slice(bytes);
        loop {
            match self.from_link.next_frame() {
                Ok(Some(frame)) => self.on_frame(frame),
                Ok(None) => return,
                // Our own link's output: nothing but a defect can bring this about.
                Err(refusal) => {
                    self.broken.get_or_insert(format!("{refusal:?}"));
                    return;
                }
            }
        }
    }

    /// Tells the link of its peer: the handshake ends with the first message, or when much of it is here.
    fn greet(&mut self) {
        if self.greeted {
            return;
        }
        self.greeted = true;
        let mut hello = match self.side {
            Side::Server => PREFACE.to_vec(),
            Side::Client => Vec::new(),
        };
        frame::write_hello(&mut hello, &self.hello.encode());
        self.frames.extend_from_slice(&hello);
    }

    fn on_message(&mut self, message: Message) {
        self.greet();
        match message {
            Message::Request { id, method, params } => self.on_request(Some(id), &method, &params),
            Message::Notification { method, params } => self.on_request(None, &method, &params),
            Message::Answer { id, error, result } => self.on_answer(id, error, &result),
        }
    }

    fn on_request(&mut self, id: Option<u64>, method: &[u8], params: &[u8]) {
        let explain = id.is_some() && self.explanations > 0;
        let found = method_name(method).and_then(|name| self.names.resolve(name, explain));
        let (call_id, refusal) = match found {
            Ok(method) => (method.id, None),
            Err(text) => {
                self.explanations -= u32::from(explain);
                (self.names.nobody(), Some(text))
            }
        };
        let number = self.next_id();
        let flags = match id {
            Some(id) => {
                self.asked.insert(number, Asked { id, refusal });
                0
            }
            None => {
                if let Some(text) = refusal {
                    log::debug!("a MessagePack-RPC notification is dropped: {text}");
                }
                flag::ONE_WAY
            }
        };
        // Peers without arguments may send nil instead of an empty list.
        let params = if params == [NIL] { &[0x90] } else { params };
        self.call(number, call_id, flags, params);
    }

    /// Hands the link a call, which it answers or refuses as any other.
    fn call(&mut self, number: u32, call_id: u64, flags: u8, params: &[u8]) {
        let part = CallPart {
            call_id,
            remaining_ms: 0,
        };
        let mut call = CallFrame {
            part,
            flags,
            metadata: &[],
            params,
            target: None,
            large: None,
            lent: &[],
        };
        if params.len() <= self.piece {
            return self.give(|out| frame::write_call(out, number, &call));
        }
        (call.flags, call.params) = (flags | flag::MORE, &[]);
        self.give(|out| frame::write_call(out, number, &call));
        self.pieces(0, number, params);
    }

    /// The body of a frame that said that more follows.
    fn pieces(&mut self, flags: u8, id: u32, body: &[u8]) {
        let mut chunks = body.chunks(self.piece).peekable();
        while let Some(chunk) = chunks.next() {
            let more = if chunks.peek().is_some() {
                flag::MORE
            } else {
                0
            };
            self.give(|out| frame::write_data(out, flags | more, id, chunk));
        }
    }

    /// A request ID that no call which is worked on has.
    fn next_id(&mut self) -> u32 {
        loop {
            let id = self.next_id;
            self.next_id = self.next_id.wrapping_add(1);
            if id != 0 && !self.asked.contains_key(&id) {
                return id;
            }
        }
    }

    fn on_answer(&mut self, id: u64, error: Option<Bytes>, result: &[u8]) {
        // The link ignores answers that it does not wait for: late ones, and those to nothing.
        let Ok(id) = u32::try_from(id) else { return };
        match error {
            None if result.len() <= self.piece => {
                self.give(|out| frame::write_reply(out, 0, id, result));
            }
            None => {
                self.give(|out| frame::write_front(out, Kind::Reply, 0, id));
                self.pieces(flag::CALLEE, id, result);
            }
            Some(error) => {
                self.fail(
                    id,
                    Status::Unknown,
                    Execution::Executed,
                    &text::of_error(&error),
                );
            }
        }
    }

    /// Input that is no message: the request that it may have been is answered, then nothing more is taken.
    fn give_up(&mut self, broken: Broken) {
        self.greet();
        if self.side == Side::Server || broken.id.is_some() {
            let number = self.next_id();
            let refusal = Some(broken.text.clone());
            let id = broken.id.unwrap_or(0);
            self.asked.insert(number, Asked { id, refusal });
            self.call(number, self.names.nobody(), 0, &[0x90]);
        }
        self.farewell
            .get_or_insert_with(|| format!("the connection was closed: {}", broken.text));
        self.broken = Some(broken.text);
    }

    fn on_frame(&mut self, frame: Frame) {
        let id = frame.request_id;
        match frame.kind {
            // A server's peer is told of when it has said something; a client's waits for us.
            Kind::Hello if self.side == Side::Client => self.greet(),
            Kind::Hello => {}
            Kind::Call => self.on_call(&frame),
            Kind::Reply | Kind::Fail => {
                if let Entry::Occupied(asked) = self.asked.entry(id) {
                    let asked = asked.remove();
                    self.answer(asked, &frame);
                }
            }
            // Nobody waits any more, and the peer cannot be told: the call's place is free at once.
            Kind::Cancel => self.fail(
                id,
                Status::Cancelled,
                Execution::Unknown,
                "the caller has given up",
            ),
            Kind::Ping => {
                let token = frame.fixed.token();
                self.give(|out| frame::write_ping(out, Kind::Pong, token));
            }
            // An announcement: there is no word for it here, and calls are still served.
            Kind::GoAway if !frame.go_away_part().is_final => {}
            Kind::GoAway => {
                let text = if self.greeted {
                    format!(
                        "the connection was closed: {}",
                        frame::read_message(&frame.body)
                    )
                } else {
                    "the connection was closed: no whole message came in time".to_owned()
                };
                self.farewell = Some(text);
            }
            Kind::Item | Kind::End | Kind::Data | Kind::Credit | Kind::Pong | Kind::Release => {}
        }
    }

    /// A call of ours: by name.
    fn on_call(&mut self, frame: &Frame) {
        const LACKING: u8 =
            flag::STREAM_IN | flag::STREAM_OUT | flag::MORE | flag::TARGET | flag::COMPRESSED;
        let (id, call_id) = (frame.request_id, frame.call_part().call_id);
        let one_way = frame.flags & flag::ONE_WAY != 0;
        let refused = if frame.flags & LACKING != 0 {
            Some(
                "MessagePack-RPC has neither streams nor objects; call this method of a peer that speaks our protocol",
            )
        } else if let Err(malformed) = check(&frame.body, &ANY) {
            // What an encoder could not write has a reason in its place, which is no MessagePack.
            let text = format!("the parameters cannot be sent: {malformed}");
            return self.fail(id, Status::InvalidArgument, Execution::NotStarted, &text);
        } else {
            let out = &mut self.output;
            let write = |name: &str| {
                if one_way {
                    message::write_notification(out, name, &frame.body);
                } else {
                    message::write_request(out, id, name, &frame.body);
                }
            };
            match self.spoken.with_name(call_id, write) {
                Some(()) => None,
                None => Some(LACKS),
            }
        };
        if let Some(text) = refused
            && !one_way
        {
            self.fail(id, Status::Unimplemented, Execution::NotStarted, text);
        }
    }

    /// The link's answer to a request of the peer.
    fn answer(&mut self, asked: Asked, frame: &Frame) {
        let Asked { id, refusal } = asked;
        if frame.kind == Kind::Fail {
            let status = Status::from_code(frame.fail_part().status);
            let said = frame::read_message(&frame.body);
            return self.write_error(id, status, &refusal.unwrap_or(said));
        }
        if frame.flags & frame::flag::ERROR != 0 {
            let status = Status::from_code(frame.fail_part().status);
            return self.write_error(id, status, &text::of_declared(&frame.body));
        }
        match check(&frame.body, &ANY) {
            Ok(()) => message::write_result(&mut self.output, id, &frame.body),
            Err(malformed) => {
                let text = format!("the answer cannot be sent: {malformed}");
                self.write_error(id, Status::Internal, &text);
            }
        }
    }

    fn write_error(&mut self, id: u64, status: Status, text: &str) {
        let form = self.form;
        message::write_error(&mut self.output, id, |out| match form {
            ErrorForm::Text => write::str(out, text),
            ErrorForm::Pair => {
                write::array(out, 2);
                write::uint(out, status.code().into());
                write::str(out, text);
            }
        });
    }

    fn fail(&mut self, id: u32, status: Status, execution: Execution, text: &str) {
        let part = FailPart {
            status: status.code(),
            execution,
            retryable: false,
            retry_after_ms: 0,
        };
        self.give(|out| frame::write_fail(out, id, &part, text));
    }

    fn give(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut frame = Vec::new();
        write(&mut frame);
        self.frames.extend_from_slice(&frame);
    }
}

/// The bytes of a method's name, which may be a string or binary.
fn method_name(method: &[u8]) -> Result<&[u8], String> {
    let mut input = crate::codec::Reader::new(method);
    let name = if input.is_bin() {
        input.bin()
    } else {
        input.str().map(str::as_bytes)
    };
    name.map_err(|error| format!("the method of a message is its name: {error}"))
}

/// Why a method is not called. Methods without a name are those that would need what is missing.
const LACKS: &str = "MessagePack-RPC has neither streams nor objects nor numbered methods; call this of a peer that speaks our own protocol";

/// A person needs few of them, and a stranger is not worth the time that they take.
const EXPLANATIONS: u32 = 100;

/// Frames for the link that are made ahead, in bytes: many small messages come in one read.
const AHEAD: usize = 16 << 10;

/// What a frame has beside its body, at most.
const FRAME_FRONT: usize = 64;

/// An answer of our own is only looked over for what could not be written.
const ANY: CheckLimits = CheckLimits {
    max_depth: usize::MAX,
    max_nodes: usize::MAX,
};
