//! Frames by hand, as docs/wire.md describes them: for peers that misbehave as gRPC's negative cases want it.

use interop::testing::v1::{Failure, SimpleResponse};
use rpc_runtime::__private::{Encode, write};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
#[cfg(feature = "tls")]
use tokio_rustls::TlsAcceptor;

#[cfg(feature = "tls")]
use crate::stage::certificate;
#[cfg(unix)]
use crate::stage::socket;
use crate::stage::{Access, Transport};

pub const REPLY: u8 = 3;
pub const FAIL: u8 = 4;
pub const ITEM: u8 = 5;
pub const DATA: u8 = 7;
pub const PING: u8 = 10;
pub const PONG: u8 = 11;
pub const GOAWAY: u8 = 12;

/// The body goes on in DATA frames.
pub const MORE: u8 = 0x08;
/// An ITEM or DATA of the callee.
pub const CALLEE: u8 = 0x01;

/// A server that is played by hand.
pub struct Hand {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
}

/// What was received, its header read.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub id: u32,
    /// Everything behind the header.
    pub rest: Vec<u8>,
}

/// Where a server that is played by hand listens.
pub enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
    #[cfg(feature = "tls")]
    Tls(TcpListener, TlsAcceptor),
}

impl Drop for Listener {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Self::Unix(listener) = self
            && let Ok(address) = listener.local_addr()
            && let Some(path) = address.as_pathname()
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Takes a port; gives the address.
pub async fn listen() -> (Listener, String) {
    let (listener, access) = listen_on(Transport::Tcp).await;
    (listener, access.address)
}

/// Takes an address of this kind; gives the way to it.
pub async fn listen_on(transport: Transport) -> (Listener, Access) {
    let port = async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        (listener, at)
    };
    match transport {
        Transport::Tcp => {
            let (listener, at) = port().await;
            (Listener::Tcp(listener), Access::to(format!("tcp://{at}")))
        }
        #[cfg(unix)]
        Transport::Unix => {
            let path = socket();
            let listener = UnixListener::bind(&path).unwrap();
            let access = Access::to(format!("unix://{}", path.display()));
            (Listener::Unix(listener), access)
        }
        #[cfg(feature = "tls")]
        Transport::Tls => {
            let (listener, at) = port().await;
            let (certificate, key) = certificate();
            let access = Access::trusting(format!("tls://{at}"), &certificate);
            (
                Listener::Tls(listener, acceptor(&certificate, &key)),
                access,
            )
        }
        other => panic!("nobody is played by hand over {other:?}"),
    }
}

/// TLS as docs/wire.md wants it.
#[cfg(feature = "tls")]
fn acceptor(certificate: &str, key: &str) -> TlsAcceptor {
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"rpcidl/1".to_vec()];
    TlsAcceptor::from(std::sync::Arc::new(config))
}

impl Listener {
    async fn accept(&self) -> Box<dyn Stream> {
        match self {
            Self::Tcp(listener) => Box::new(listener.accept().await.unwrap().0),
            #[cfg(unix)]
            Self::Unix(listener) => Box::new(listener.accept().await.unwrap().0),
            #[cfg(feature = "tls")]
            Self::Tls(listener, acceptor) => {
                let (stream, _) = listener.accept().await.unwrap();
                Box::new(acceptor.accept(stream).await.unwrap())
            }
        }
    }
}

impl Hand {
    /// Takes a connection and exchanges HELLO: calls of theirs at once, and sizes large enough for everything.
    pub async fn accept(listener: &Listener, max_inflight: u8) -> Self {
        let stream = listener.accept().await;
        let mut hand = Self {
            stream,
            received: Vec::new(),
        };
        while hand.received.len() < 8 {
            hand.read().await;
        }
        assert_eq!(hand.received.drain(..8).as_slice(), b"\xabRPCIDL\x01");
        assert_eq!(hand.next().await.unwrap().kind, 1);
        let hello = [
            &b"\x83\xa9max_frame\xce\x00\x40\x00\x00\xabmax_message\xce\x00\x40\x00\x00\xacmax_inflight"[..],
            &[max_inflight],
        ];
        hand.send(1, 0, 0, &hello.concat()).await;
        hand
    }

    pub async fn send(&mut self, kind: u8, flags: u8, id: u32, rest: &[u8]) {
        self.write(&frame(kind, flags, id, rest)).await;
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next frame but PINGs, which are answered; `None` when the input ends.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.cut() {
                if frame.kind == PING {
                    self.send(PONG, 0, 0, &frame.rest).await;
                    continue;
                }
                return Some(frame);
            }
            if self.read().await == 0 {
                return None;
            }
        }
    }

    /// The request ID of the next CALL.
    pub async fn call(&mut self) -> u32 {
        loop {
            let frame = self.next().await.expect("a call comes");
            if frame.kind == 2 {
                return frame.id;
            }
        }
    }

    async fn read(&mut self) -> usize {
        // The peer may reset a connection that it has given up.
        let read = self.stream.read_buf(&mut self.received).await;
        read.unwrap_or_default()
    }

    fn cut(&mut self) -> Option<Frame> {
        let length = u32::from_le_bytes(*self.received.first_chunk()?) as usize + 4;
        if self.received.len() < length {
            return None;
        }
        let bytes: Vec<u8> = self.received.drain(..length).collect();
        Some(Frame {
            kind: bytes[4],
            id: u32::from_le_bytes(bytes[8..12].try_into().unwrap()),
            rest: bytes[12..].to_vec(),
        })
    }
}

pub fn frame(kind: u8, flags: u8, id: u32, rest: &[u8]) -> Vec<u8> {
    let mut out = (8 + rest.len() as u32).to_le_bytes().to_vec();
    out.extend([kind, flags, 0, 0]);
    out.extend(id.to_le_bytes());
    out.extend(rest);
    out
}

/// The last request ID that is worked on, and a reason.
pub fn go_away(last: u32, reason: u8) -> Vec<u8> {
    let mut rest = last.to_le_bytes().to_vec();
    rest.extend([reason, 1, 0, 0, 0, 0, 0, 0]);
    rest.extend(text("enough"));
    frame(GOAWAY, 0, 0, &rest)
}

/// The fixed part and the message of a FAIL.
pub fn fail(status: u8, execution: u8, message: &str) -> Vec<u8> {
    [vec![status, execution, 0, 0, 0, 0, 0, 0], text(message)].concat()
}

/// The fixed part and the body of a REPLY with a declared error.
pub fn declared(status: u8, error: &Failure) -> Vec<u8> {
    let mut rest = vec![status, 3, 0, 0, 0, 0, 0, 0];
    error.encode(&mut rest);
    rest
}

fn text(message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write::array(&mut out, 1);
    write::str(&mut out, message);
    out
}

/// The answer of `unary_call` with a payload of so many bytes.
pub fn answer(payload: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let response = SimpleResponse {
        payload: vec![0; payload],
        username: None,
        metadata: Vec::new(),
        time_left: None,
        payload_received: 0,
    };
    response.encode(&mut out);
    out
}
