//! HELLO: what both sides say of themselves before anything else.

use crate::codec::{DecodeError, Reader, write};
use crate::limits::Limits;
use crate::security::Token;
use crate::wire::frame::{HEADER, LENGTH_FIELD};
use crate::wire::outbound::{PIECE, WHOLE};
use crate::wire::streams::SMALLEST_WINDOW;

/// Feature of those who read bodies compressed with LZ4.
pub(crate) const LZ4: &str = "lz4";

/// What one side announces.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Hello {
    /// Name and version of the program, for logs.
    pub(crate) agent: String,
    /// Largest frame it accepts.
    pub(crate) max_frame: u32,
    /// Largest body it puts together from pieces; 0 if it takes none in pieces.
    pub(crate) max_message: u32,
    /// Most calls it works on at once.
    pub(crate) max_inflight: u32,
    /// Bytes of one stream it takes without credit.
    pub(crate) stream_window: u32,
    /// Bytes of all streams it takes without credit.
    pub(crate) connection_window: u32,
    /// Shortest time between two PINGs it accepts, in milliseconds.
    pub(crate) min_ping_interval_ms: u32,
    /// Optional parts of the protocol it understands.
    pub(crate) features: Vec<String>,
    /// Services it answers, with the fingerprint of each.
    pub(crate) services: Vec<(String, u64)>,
    /// Says who it is; a client's only, and where nobody else can read it.
    pub(crate) token: Option<Token>,
}

impl Hello {
    /// What a side with these limits and services announces.
    pub(crate) fn of(limits: &Limits, services: Vec<(String, u64)>) -> Self {
        Self {
            agent: concat!("rpc-runtime/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_frame: limits.max_frame_bytes,
            max_message: limits.max_message_bytes,
            max_inflight: limits.max_inflight_per_connection,
            stream_window: limits.stream_window,
            connection_window: limits.connection_window,
            min_ping_interval_ms: u32::try_from(limits.min_ping_interval.as_millis())
                .unwrap_or(u32::MAX),
            features: Vec::new(),
            services,
            token: None,
        }
    }

    /// Adds what it announces if it reads compressed bodies.
    pub(crate) fn compressing(mut self, reads: bool) -> Self {
        if reads {
            self.features.push(LZ4.to_owned());
        }
        self
    }

    /// Whether compressed bodies may be sent to this side.
    pub(crate) fn reads_compressed(&self) -> bool {
        self.features.iter().any(|feature| feature == LZ4)
    }

    /// Longest body of one frame of a body in pieces, or of one item, that this side takes.
    pub(crate) fn piece(&self) -> usize {
        let room = self.max_frame as usize - (HEADER - LENGTH_FIELD).min(self.max_frame as usize);
        room.clamp(1, PIECE)
    }

    /// Longest body that goes to this side in one frame although it could be cut.
    pub(crate) fn whole(&self) -> usize {
        if self.takes(WHOLE) {
            WHOLE
        } else {
            self.piece()
        }
    }

    /// Most calls that are made to this side at once. A place is kept for each until its end comes, even when its caller has
    /// given it up, so whoever promises to take any number and answers none must not have us keep any number.
    pub(crate) fn inflight(&self) -> u32 {
        self.max_inflight.clamp(1, MOST_INFLIGHT)
    }

    /// Whether this side takes a frame with a body of this length and nothing else in it.
    pub(crate) fn takes(&self, body: usize) -> bool {
        HEADER - LENGTH_FIELD + body <= self.max_frame as usize
    }

    /// Whether a stream towards this side gets anywhere.
    pub(crate) fn takes_streams(&self) -> bool {
        self.stream_window.min(self.connection_window) >= SMALLEST_WINDOW
    }

    /// The fingerprint the peer announced for a service.
    pub(crate) fn fingerprint(&self, service: &str) -> Option<u64> {
        self.services
            .iter()
            .find(|(name, _)| name == service)
            .map(|(_, fingerprint)| *fingerprint)
    }

    /// Body of the frame: a map, so that later versions can add to it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        write::map(&mut out, 9 + usize::from(self.token.is_some()));
        write::str(&mut out, "agent");
        write::str(&mut out, &self.agent);
        let numbers = [
            ("max_frame", self.max_frame),
            ("max_message", self.max_message),
            ("max_inflight", self.max_inflight),
            ("stream_window", self.stream_window),
            ("connection_window", self.connection_window),
            ("min_ping_interval_ms", self.min_ping_interval_ms),
        ];
        for (key, number) in numbers {
            write::str(&mut out, key);
            write::uint(&mut out, u64::from(number));
        }
        write::str(&mut out, "features");
        write::array(&mut out, self.features.len());
        for feature in &self.features {
            write::str(&mut out, feature);
        }
        write::str(&mut out, "services");
        write::array(&mut out, self.services.len());
        for (name, fingerprint) in &self.services {
            write::array(&mut out, 2);
            write::str(&mut out, name);
            write::uint(&mut out, *fingerprint);
        }
        if let Some(token) = &self.token {
            write::str(&mut out, "token");
            write::str(&mut out, token.reveal());
        }
        out
    }

    /// Reads a body; keys nobody knows are skipped, numbers that are missing are zero, `max_frame` then 64 KiB.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(body);
        let mut hello = Self::default();
        for _ in 0..input.map()? {
            match input.key()? {
                "agent" => hello.agent = input.field("agent")?.unwrap_or_default(),
                "max_frame" => hello.max_frame = input.field("max_frame")?.unwrap_or_default(),
                "max_message" => {
                    hello.max_message = input.field("max_message")?.unwrap_or_default()
                }
                "max_inflight" => {
                    hello.max_inflight = input.field("max_inflight")?.unwrap_or_default()
                }
                "stream_window" => {
                    hello.stream_window = input.field("stream_window")?.unwrap_or_default()
                }
                "connection_window" => {
                    hello.connection_window = input.field("connection_window")?.unwrap_or_default()
                }
                "min_ping_interval_ms" => {
                    hello.min_ping_interval_ms =
                        input.field("min_ping_interval_ms")?.unwrap_or_default()
                }
                "features" => hello.features = read_features(&mut input)?,
                "token" => hello.token = read_token(&mut input)?,
                "services" => hello.services = read_services(&mut input)?,
                _ => input.skip()?,
            }
        }
        input.finish()?;
        if hello.max_frame == 0 {
            hello.max_frame = MAX_FRAME_UNSAID;
        }
        Ok(hello)
    }
}

/// Largest frame of a side that does not say what it accepts: as much as every side accepts before HELLO.
const MAX_FRAME_UNSAID: u32 = 64 << 10;

/// Most calls made to one peer at once on one connection, whatever it announces.
const MOST_INFLIGHT: u32 = 1 << 16;

/// Most services, and most features: an entry costs three bytes to send and forty to keep for as long as the connection lives.
const MAX_ENTRIES: usize = 4_096;

fn entries(input: &mut Reader<'_>, field: &'static str) -> Result<usize, DecodeError> {
    let count = input.array()?;
    if count > MAX_ENTRIES {
        let text = format!("{count} entries, {MAX_ENTRIES} are allowed");
        return Err(DecodeError::custom(text).in_field(field));
    }
    Ok(count)
}

fn read_token(input: &mut Reader<'_>) -> Result<Option<Token>, DecodeError> {
    let text: Option<String> = input.field("token")?;
    let token = text.map(Token::new).transpose();
    token.map_err(|error| DecodeError::custom(error.message().to_owned()).in_field("token"))
}

fn read_features(input: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let count = entries(input, "features")?;
    (0..count)
        .map(|_| Ok(input.field("features")?.unwrap_or_default()))
        .collect()
}

fn read_services(input: &mut Reader<'_>) -> Result<Vec<(String, u64)>, DecodeError> {
    let count = entries(input, "services")?;
    let mut services = Vec::new();
    for _ in 0..count {
        let parts = input.array()?;
        if parts < 2 {
            return Err(
                DecodeError::custom("a service needs a name and a fingerprint")
                    .in_field("services"),
            );
        }
        let name: String = input.field("name")?.unwrap_or_default();
        let fingerprint: u64 = input.field("fingerprint")?.unwrap_or_default();
        for _ in 2..parts {
            input.skip()?;
        }
        services.push((name, fingerprint));
    }
    Ok(services)
}
