//! Everything that a peer can drive up, with the bound on it.

use std::time::Duration;

/// Bounds on memory, counts and waits of one side of a connection.
///
/// The defaults are safe towards strangers. Where a number comes from is said at each field.
///
/// ```
/// use rpc_runtime::Limits;
///
/// let limits = Limits { max_frame_bytes: 16 << 20, ..Limits::default() };
/// # let _ = limits;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest frame accepted, in bytes; announced to the peer. 4 MiB, as in gRPC.
    pub max_frame_bytes: u32,
    /// Largest parameters, result or item, in bytes; announced to the peer. What is larger than 64 KiB is cut into pieces,
    /// so this may be more than `max_frame_bytes`. 16 MiB.
    pub max_message_bytes: u32,
    /// Largest frame accepted before HELLO was answered. 64 KiB.
    pub max_frame_bytes_before_hello: u32,
    /// Deepest nesting of arrays and maps in a message. 64, as in Cap'n Proto and Thrift.
    pub max_depth: usize,
    /// Most values in one message. 1,048,576: an empty map costs one byte to send and forty to keep. In a list, map or set, what
    /// takes more than 128 bytes in memory counts for as many as would fit in.
    pub max_nodes: usize,
    /// Most bytes of metadata on one frame. 8 KiB, as announced by grpc-go.
    pub max_metadata_bytes: u16,
    /// Most metadata entries on one frame. 64.
    pub max_metadata_entries: u16,
    /// Most calls of the peer that are worked on at once on one connection; announced. 256, as in jsonrpsee's client.
    pub max_inflight_per_connection: u32,
    /// CANCELs of calls that had time left before the connection ends with GOAWAY; a fifth comes back every second, one
    /// with every call served and every item. 1,000, as gRPC and HTTP/2 libraries allow after "rapid reset".
    pub cancel_budget: u32,
    /// Calls refused through a fault of the caller (unknown methods, parameters that cannot be read, more at once than
    /// announced) before the connection ends with GOAWAY; comes back as `cancel_budget`. 1,024, as resets by the server in h2.
    pub error_budget: u32,
    /// Frames that carry nothing (CREDIT, END, RELEASE or CANCEL for what is not there, padding, answers to no call,
    /// pieces of a few bytes) before the connection ends with GOAWAY; comes back as `cancel_budget`, three with every call
    /// served and every item. 10,000: a stream of tiny windows brings two with each item.
    pub control_budget: u32,
    /// Most connections of one server. 10,000.
    pub max_connections: u32,
    /// Most connections of one server from one IP address; others are told so and closed. No limit unless one is set:
    /// many clients may stand behind one address.
    pub max_connections_per_ip: Option<u32>,
    /// Most connections of one server whose handshake is not complete. 1,024. Others are told so and closed; without a word
    /// over TLS, and where 64 are being told already.
    pub max_handshaking: u32,
    /// Time from accept to HELLO answered. 10 s.
    pub handshake_timeout: Duration,
    /// Time from the first to the last byte of a frame, and for each 64 KiB of a body that comes in pieces, however small
    /// these are. 30 s, as hyper's for a request head.
    pub frame_timeout: Duration,
    /// Time that a peer may take for 64 KiB of what we send, or for all of it if that is less. 30 s. On Linux the kernel knows it too (`TCP_USER_TIMEOUT`), so that
    /// a broken network is found out even while nobody looks.
    pub write_stall_timeout: Duration,
    /// Time after which a server closes a connection that has carried no call. 5 min.
    pub idle_timeout: Duration,
    /// Age after which a server leaves a connection in the orderly way (announced, no call lost), plus or minus a tenth;
    /// clients connect again, perhaps to an instance that was not there before. `None`: never.
    pub max_connection_age: Option<Duration>,
    /// Time for the calls of a connection that has reached its age. 30 s; then it is closed over them.
    pub max_connection_age_grace: Duration,
    /// A client with calls outstanding sends PING after this much silence. 15 s.
    pub client_ping_after: Duration,
    /// … and gives the connection up when nothing comes back within this. 5 s.
    pub client_ping_timeout: Duration,
    /// A server sends PING after this much silence. 60 s.
    pub server_ping_after: Duration,
    /// … and gives the connection up when nothing comes back within this. 20 s.
    pub server_ping_timeout: Duration,
    /// Shortest time between two PINGs of a peer; announced. 5 s; three strikes end the connection.
    pub min_ping_interval: Duration,
    /// Bytes written but not yet taken by the peer, after which no more frames are read from it. 1 MiB.
    pub outbound_queue_bytes: usize,
    /// Most replies to control frames (PONG, refusals) waiting to be sent before reading stops. 100, as in grpc-go.
    pub max_queued_control: u32,
    /// Bytes of one stream that may wait here to be read; announced. 768 KiB.
    pub stream_window: u32,
    /// Bytes of all streams of a connection that may wait here to be read; announced. 3 MiB, so that three streams that nobody reads
    /// leave room for a fourth.
    pub connection_window: u32,
    /// Bytes of one connection that are kept for it: bodies that are not complete, items that nobody has read, parameters
    /// of calls that are worked on. Calls beyond are refused. 64 MiB.
    pub connection_memory: u64,
    /// The same for all connections of one server, or of one channel, together, with what they have not read of our output.
    /// When it is used up, calls are refused and items break their stream, except on connections that keep less than
    /// 16 KiB: whoever hoards does not shut others out. The first 64 KiB of a frame that is arriving come on top, for each
    /// connection, and up to 160 MiB of buffers of large messages, which are kept for a second for the next ones. 256 MiB.
    pub process_memory: u64,
    /// Most objects that one connection has lent to its peer and the peer has not given back. 1,024.
    pub max_objects: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame_bytes: 4 << 20,
            max_message_bytes: 16 << 20,
            max_frame_bytes_before_hello: 64 << 10,
            max_depth: 64,
            max_nodes: 1 << 20,
            max_metadata_bytes: 8 << 10,
            max_metadata_entries: 64,
            max_inflight_per_connection: 256,
            cancel_budget: 1_000,
            error_budget: 1_024,
            control_budget: 10_000,
            max_connections: 10_000,
            max_connections_per_ip: None,
            max_handshaking: 1_024,
            handshake_timeout: Duration::from_secs(10),
            frame_timeout: Duration::from_secs(30),
            write_stall_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(5 * 60),
            max_connection_age: None,
            max_connection_age_grace: Duration::from_secs(30),
            client_ping_after: Duration::from_secs(15),
            client_ping_timeout: Duration::from_secs(5),
            server_ping_after: Duration::from_secs(60),
            server_ping_timeout: Duration::from_secs(20),
            min_ping_interval: Duration::from_secs(5),
            outbound_queue_bytes: 1 << 20,
            max_queued_control: 100,
            stream_window: 768 << 10,
            connection_window: 3 << 20,
            connection_memory: 64 << 20,
            process_memory: 256 << 20,
            max_objects: 1_024,
        }
    }
}

/// Time limit of a call for which neither the caller nor the definition says anything. 10 s, as in tarpc.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
