//! The first words of a connection: preface and HELLO, within one time limit.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{timeout, timeout_at};

use super::{Link, Role, Terms};
use crate::codec::{CheckLimits, check};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::msgpack_rpc;
use crate::security::Token;
use crate::server::router::Router;
use crate::task::{self, Work, boxed};
use crate::transport::{Io, ServerSecurity};
use crate::wire::frame::{self, Frame, GoAwayPart, GoAwayReason, Kind, PREFACE};
use crate::wire::hello::Hello;
use crate::wire::inbound::{Inbound, Refusal, not_now, plain_client};

/// Bytes read at once while nothing is known of the peer.
const SMALL_READ: usize = 4 << 10;

/// Why no link came about.
enum Failed {
    /// The connection ended or broke.
    Lost(std::io::Error),
    /// What the peer sent is wrong.
    Refused(Refusal),
    /// The peer says so.
    ByPeer(Error),
    /// The peer may not come in.
    Unwelcome(Error),
}

/// The client's side: says HELLO, waits for the server's.
pub(crate) async fn connect(
    mut io: Io,
    terms: Terms,
    router: Option<Arc<Router>>,
    token: Option<Token>,
) -> Result<Arc<Link>> {
    let limits = terms.limits.clone();
    let peer = io.peer.clone();
    let services = router
        .as_ref()
        .map_or_else(Vec::new, |router| router.fingerprints());
    let mut first = PREFACE.to_vec();
    let hello = Hello {
        token,
        ..Hello::of(&limits, services).compressing(terms.compress)
    };
    frame::write_hello(&mut first, &hello.encode());
    let mut inbound = Inbound::client(&limits);
    let exchange = async {
        io.writer.write_all(&first).await.map_err(Failed::Lost)?;
        io.writer.flush().await.map_err(Failed::Lost)?;
        read_hello(&mut io, &mut inbound).await
    };
    match timeout(limits.handshake_timeout, exchange).await {
        Ok(Ok(hello)) => Ok(open(Role::Client, io, inbound, hello, terms, router)),
        Ok(Err(failed)) => Err(explain(&peer, failed)),
        Err(_) => {
            let text = format!(
                "{peer} accepted the connection and said nothing for {:?}; is it a server of this protocol?",
                limits.handshake_timeout
            );
            Err(Error::unavailable(text).with_peer(peer))
        }
    }
}

/// The server's side: waits for HELLO and answers it. A stranger gets a refusal that it can read.
pub(crate) async fn accept(mut io: Io, terms: Terms, router: Arc<Router>) -> Result<Arc<Link>> {
    let limits = terms.limits.clone();
    let (peer, since) = (io.peer.clone(), io.since);
    let mut inbound = Inbound::server(&limits);
    let exchange = async {
        let mut hello = match (read_hello(&mut io, &mut inbound).await, router.door()) {
            (Err(Failed::Refused(refusal)), Some(door)) if refusal.is_msgpack_rpc() => {
                let received = std::mem::take(inbound.buffer());
                msgpack_rpc::serve(&mut io, received, door, &limits);
                inbound = Inbound::server(&limits);
                read_hello(&mut io, &mut inbound).await?
            }
            (hello, _) => hello?,
        };
        let (peer, token) = (Arc::from(&*io.peer), hello.token.take());
        let welcome = router.guard().welcome(&peer, io.identity.take(), token);
        io.identity = welcome.await.map_err(Failed::Unwelcome)?;
        let services = router.visible(&peer, io.identity.as_ref());
        let mut answer = Vec::new();
        frame::write_hello(
            &mut answer,
            &Hello::of(&limits, services)
                .compressing(terms.compress)
                .encode(),
        );
        io.writer.write_all(&answer).await.map_err(Failed::Lost)?;
        io.writer.flush().await.map_err(Failed::Lost)?;
        Ok(hello)
    };
    match timeout_at(since + limits.handshake_timeout, exchange).await {
        Ok(Ok(hello)) => Ok(open(Role::Server, io, inbound, hello, terms, Some(router))),
        Ok(Err(failed)) => {
            match &failed {
                Failed::Refused(refusal) => say_goodbye(&mut io, refusal, &limits).await,
                Failed::Unwelcome(error) => say_goodbye(&mut io, &unwelcome(error), &limits).await,
                Failed::Lost(_) | Failed::ByPeer(_) => {}
            }
            Err(explain(&peer, failed))
        }
        Err(_) => {
            let text = format!("no HELLO within {:?}", limits.handshake_timeout);
            say_goodbye(
                &mut io,
                &Refusal::Frame(GoAwayReason::Limit, text.clone()),
                &limits,
            )
            .await;
            Err(Error::unavailable(text).with_peer(peer))
        }
    }
}

/// The server's side of TLS, before all else. A client that speaks without it gets a refusal that it can read.
pub(crate) async fn secure(mut io: Io, limits: &Limits, security: &ServerSecurity) -> Result<Io> {
    io.peer = io.peer.replacen("tcp://", "tls://", 1);
    let (peer, until) = (io.peer.clone(), io.since + limits.handshake_timeout);
    let late = || {
        let text = format!("no TLS handshake within {:?}", limits.handshake_timeout);
        Error::unavailable(text).with_peer(&*peer)
    };
    let mut first = vec![0; SMALL_READ];
    let count = match timeout_at(until, io.reader.read(&mut first)).await {
        Ok(Ok(0)) => {
            return Err(explain(
                &peer,
                Failed::Lost(std::io::ErrorKind::UnexpectedEof.into()),
            ));
        }
        Ok(Ok(count)) => count,
        Ok(Err(error)) => return Err(explain(&peer, Failed::Lost(error))),
        Err(_) => return Err(late()),
    };
    first.truncate(count);
    if let Some(refusal) = plain_client(&first) {
        say_goodbye(&mut io, &refusal, limits).await;
        return Err(Error::new(
            ErrorKind::FailedPrecondition,
            format!("{peer} speaks without TLS"),
        )
        .with_peer(peer));
    }
    io.reader = Box::new(std::io::Cursor::new(first).chain(io.reader));
    match timeout_at(until, security.accept(io)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(late()),
    }
}

/// Tells a new connection that it cannot stay, in the words of whatever it speaks, and closes it.
pub(crate) async fn turn_away(mut io: Io, limits: &Limits, reason: GoAwayReason, text: &str) {
    // Clients speak first, and at once.
    let mut start = vec![0; SMALL_READ];
    let first = timeout(super::keep::LAST_WORDS, io.reader.read(&mut start)).await;
    let count = first.ok().and_then(Result::ok).unwrap_or(0);
    let refusal = not_now(&start[..count], reason, text);
    say_goodbye(&mut io, &refusal, limits).await;
}

fn open(
    role: Role,
    io: Io,
    inbound: Inbound,
    hello: Hello,
    terms: Terms,
    router: Option<Arc<Router>>,
) -> Arc<Link> {
    let (link, input) = Link::new(role, io, hello, terms, router);
    // Both tasks end when the link is closed, which its owner (channel or server) does. A runtime that ends drops them:
    // then the link closes too, or callers on other threads would wait for ever.
    let (read, reading) = (link.clone(), CloseOnDrop(link.clone()));
    task::spawn(async move {
        let _reading = reading;
        read.read_loop(input, inbound).await;
    });
    let (keep, keeping) = (link.clone(), CloseOnDrop(link.clone()));
    task::spawn(async move {
        let _keeping = keeping;
        keep.keep_loop().await;
    });
    link
}

/// Closes a link that one of its tasks has left; most are closed by then.
struct CloseOnDrop(Arc<Link>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        let peer = &**self.0.peer();
        let error = Error::unavailable("the runtime of the connection has ended").with_peer(peer);
        self.0.close(error);
        self.0.task_ended();
    }
}

async fn read_hello(io: &mut Io, inbound: &mut Inbound) -> Result<Hello, Failed> {
    loop {
        if let Some(frame) = inbound.next_frame().map_err(Failed::Refused)? {
            return understand(&frame, &io.peer);
        }
        inbound.buffer().reserve(SMALL_READ);
        let read = io
            .reader
            .read_buf(inbound.buffer())
            .await
            .map_err(Failed::Lost)?;
        if read == 0 {
            return Err(Failed::Lost(std::io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// Reads the first frame: HELLO, or the reason why there will be none.
pub(crate) fn first_frame(frame: &Frame, peer: &str) -> Result<Hello> {
    understand(frame, peer).map_err(|failed| explain(peer, failed))
}

fn understand(frame: &Frame, peer: &str) -> Result<Hello, Failed> {
    if frame.kind == Kind::GoAway {
        return Err(Failed::ByPeer(turned_away(frame, peer)));
    }
    let wrong = |why: String| {
        Failed::Refused(Refusal::Frame(
            GoAwayReason::Protocol,
            format!("HELLO: {why}"),
        ))
    };
    check(&frame.body, &CheckLimits::default())
        .map_err(|malformed| wrong(malformed.to_string()))?;
    Hello::decode(&frame.body).map_err(|error| wrong(error.to_string()))
}

fn turned_away(frame: &Frame, peer: &str) -> Error {
    let text = frame::read_message(&frame.body);
    let kind = match frame.go_away_part().reason {
        GoAwayReason::Unauthenticated => ErrorKind::Unauthenticated,
        GoAwayReason::Limit => ErrorKind::ResourceExhausted,
        GoAwayReason::Version => ErrorKind::FailedPrecondition,
        _ => ErrorKind::Unavailable,
    };
    let wait = frame.go_away_part().spread();
    Error::new(kind, format!("{peer} refused the connection: {text}"))
        .with_peer(peer)
        .with_retry_after((!wait.is_zero()).then_some(wait))
}

fn explain(peer: &str, failed: Failed) -> Error {
    match failed {
        Failed::ByPeer(error) | Failed::Unwelcome(error) => error,
        Failed::Lost(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::unavailable(format!(
                "{peer} closed the connection before HELLO; is it a server of this protocol?"
            ))
            .with_peer(peer)
        }
        // TLS has said it already: a certificate that is refused, most of all.
        Failed::Lost(error) => told(&error).unwrap_or_else(|| {
            Error::unavailable(format!("the handshake with {peer} failed: {error}")).with_peer(peer)
        }),
        Failed::Refused(refusal) => refused(peer, &refusal),
    }
}

/// What somebody is told who may not come in.
fn unwelcome(error: &Error) -> Refusal {
    let reason = match error.kind() {
        // Whether they may is not known at the moment: trying again may help.
        ErrorKind::Unavailable | ErrorKind::DeadlineExceeded => GoAwayReason::Shutdown,
        _ => GoAwayReason::Unauthenticated,
    };
    Refusal::Frame(reason, error.message().to_owned())
}

/// The error of ours that a failure of the transport carries.
pub(crate) fn told(error: &std::io::Error) -> Option<Error> {
    error.get_ref()?.downcast_ref::<Error>().cloned()
}

/// A refusal as an error.
pub(crate) fn refused(peer: &str, refusal: &Refusal) -> Error {
    match refusal {
        Refusal::Foreign { protocol, .. } => Error::new(
            ErrorKind::FailedPrecondition,
            format!("{peer} speaks {protocol}, not this protocol; is the port right?"),
        )
        .with_peer(peer),
        Refusal::Frame(_, text) => Error::new(
            ErrorKind::DataLoss,
            format!("{peer} breaks the protocol: {text}"),
        )
        .with_peer(peer),
    }
}

fn say_goodbye<'a>(io: &'a mut Io, refusal: &'a Refusal, limits: &'a Limits) -> Work<'a, ()> {
    boxed(farewell(io, refusal, limits))
}

async fn farewell(io: &mut Io, refusal: &Refusal, limits: &Limits) {
    let answer = match refusal {
        Refusal::Foreign { answer, .. } => answer.clone(),
        Refusal::Frame(reason, text) => {
            let part = GoAwayPart {
                last_id: 0,
                reason: *reason,
                is_final: true,
                reconnect_ms: 0,
            };
            let mut answer = Vec::new();
            frame::write_go_away(&mut answer, &part, text);
            answer
        }
    };
    let farewell = async {
        io.writer.write_all(&answer).await?;
        io.writer.shutdown().await?;
        // Closing with unread input would reset the connection, and the peer might never see the answer.
        let mut sink = vec![0; SMALL_READ];
        let mut swallowed = 0;
        while swallowed < limits.max_frame_bytes_before_hello as usize {
            match io.reader.read(&mut sink).await? {
                0 => break,
                count => swallowed += count,
            }
        }
        std::io::Result::Ok(())
    };
    let _ = timeout(super::keep::LAST_WORDS, farewell).await;
}
