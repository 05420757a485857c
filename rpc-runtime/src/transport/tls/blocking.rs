//! TLS for the synchronous client: one session, a thread that reads, another that writes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ClientConnection;
use tokio::time::Instant;

use super::config::ClientSide;
use super::handshake::{check_alpn, client_config, failed, told};
use super::verify::Note;
use crate::error::{Error, Result};

/// Plaintext taken for one write: one TLS record.
const RECORD: usize = 16 << 10;

/// One end of a connection under TLS; both ends share the session, which is locked for computing only, never while a
/// thread waits for the socket.
pub(crate) struct BlockingTls {
    socket: TcpStream,
    session: Arc<Mutex<ClientConnection>>,
    peer: Arc<str>,
    /// Time limit that the socket has now.
    set: Option<Duration>,
    /// Encrypted bytes: read and not yet understood (reader), or not yet taken by the socket (writer).
    pending: Vec<u8>,
    sent: usize,
}

/// Makes a connected socket a TLS connection, within `limit`: its reading and its writing end.
pub(crate) fn connect_blocking(
    mut socket: TcpStream,
    host: &str,
    peer: &str,
    side: &ClientSide,
    limit: Duration,
) -> Result<(BlockingTls, BlockingTls)> {
    let note = Note::default();
    let (config, name) = client_config(side, host, &note)?;
    let mut session =
        ClientConnection::new(config, name).map_err(|error| Error::invalid(error.to_string()))?;
    let lost = |error: io::Error| failed(peer, &error, None);
    let until = Instant::now() + limit;
    while session.is_handshaking() || session.wants_write() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let text =
                format!("{peer} accepted the connection and did not finish the TLS handshake");
            return Err(Error::unavailable(text).with_peer(peer));
        }
        if session.wants_write() {
            socket.set_write_timeout(Some(left)).map_err(lost)?;
            match session.write_tls(&mut socket) {
                Err(error) if !is_late(&error) => return Err(lost(error)),
                _ => continue,
            }
        }
        socket.set_read_timeout(Some(left)).map_err(lost)?;
        match session.read_tls(&mut socket) {
            Ok(0) => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) if is_late(&error) => continue,
            Err(error) => return Err(lost(error)),
        }
        if let Err(error) = session.process_new_packets() {
            // The alert; whether it arrives is the server's affair.
            let _ = session.write_tls(&mut socket);
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            return Err(failed(peer, &error, note.take()));
        }
    }
    check_alpn(peer, session.alpn_protocol())?;
    let (session, peer) = (Arc::new(Mutex::new(session)), Arc::from(peer));
    let end = |socket: TcpStream| BlockingTls {
        socket,
        session: Arc::clone(&session),
        peer: Arc::clone(&peer),
        set: None,
        pending: Vec::new(),
        sent: 0,
    };
    let clone = socket
        .try_clone()
        .map_err(|error| failed(&peer, &error, None))?;
    Ok((end(clone), end(socket)))
}

impl BlockingTls {
    /// Reads what is there, waiting at most `limit`.
    pub(crate) fn read(&mut self, buffer: &mut [u8], limit: Duration) -> io::Result<usize> {
        let mut has_waited = false;
        loop {
            // The session takes more input only when the plaintext before it was taken.
            if let Some(outcome) = self.understood(buffer) {
                return outcome;
            }
            if self.sent < self.pending.len() {
                self.understand()?;
            } else if has_waited {
                // A record without plaintext, or a part of one: whoever waits looks at the clock in between.
                return Err(io::ErrorKind::WouldBlock.into());
            } else {
                self.fill(limit)?;
                has_waited = true;
            }
        }
    }

    /// Reads encrypted bytes from the socket; their end is told to the session here.
    fn fill(&mut self, limit: Duration) -> io::Result<()> {
        if self.set != Some(limit) {
            self.socket.set_read_timeout(Some(limit))?;
            self.set = Some(limit);
        }
        self.sent = 0;
        self.pending.resize(RECORD, 0);
        let outcome = self.socket.read(&mut self.pending);
        self.pending.truncate(*outcome.as_ref().unwrap_or(&0));
        if outcome? == 0 {
            self.understand()?;
        }
        Ok(())
    }

    fn understand(&mut self) -> io::Result<()> {
        let mut input = &self.pending[self.sent..];
        let mut session = self.lock();
        session.read_tls(&mut input)?;
        let outcome = session.process_new_packets();
        let left = input.len();
        drop(session);
        self.sent = self.pending.len() - left;
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = io::Error::new(io::ErrorKind::InvalidData, error);
                Err(told(&self.peer, error))
            }
        }
    }

    /// What was decrypted already; nothing if more input is needed.
    fn understood(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        match self.lock().reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            outcome => Some(outcome),
        }
    }

    /// Takes some bytes, waiting at most `limit` for the socket to take those before them.
    ///
    /// What was taken may lie here still: see [`BlockingTls::flush`]. It counts as sent all the same, because nobody
    /// could take it back.
    pub(crate) fn write(&mut self, bytes: &[u8], limit: Duration) -> io::Result<usize> {
        self.flush(limit)?;
        let count = bytes.len().min(RECORD);
        {
            let mut session = self.lock();
            session.writer().write_all(&bytes[..count])?;
        }
        match self.flush(limit) {
            Err(error) if !is_late(&error) => Err(error),
            _ => Ok(count),
        }
    }

    /// Gives the socket what was encrypted, waiting at most `limit`; [`io::ErrorKind::WouldBlock`] if some is left.
    pub(crate) fn flush(&mut self, limit: Duration) -> io::Result<()> {
        loop {
            if self.sent == self.pending.len() {
                self.pending.clear();
                self.sent = 0;
                let mut encrypted = std::mem::take(&mut self.pending);
                let mut session = self.lock();
                while session.wants_write() {
                    session.write_tls(&mut encrypted)?;
                }
                drop(session);
                self.pending = encrypted;
                if self.pending.is_empty() {
                    return Ok(());
                }
            }
            if self.set != Some(limit) {
                self.socket.set_write_timeout(Some(limit))?;
                self.set = Some(limit);
            }
            match self.socket.write(&self.pending[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_late(&error) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends both directions; the peer is told that nothing was cut off, as far as the socket takes it at once.
    pub(crate) fn shutdown(&mut self) {
        self.lock().send_close_notify();
        let _ = self.flush(Duration::from_millis(1));
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn lock(&self) -> MutexGuard<'_, ClientConnection> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a wait for the socket was over before anything happened.
fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
