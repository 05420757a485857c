//! Items of one stream: the client names a count, the server writes that many frames, many to a write.

use std::io;
use std::sync::Arc;

use bench_load::{Plan, Result, Stamp, body, body_is_right};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::frame::{self, HEAD};
use crate::server::Input;

/// A connection that carries one stream at a time.
#[derive(Clone)]
pub struct Stream {
    inner: Arc<Mutex<(TcpStream, Input)>>,
}

impl Stream {
    pub(crate) async fn connect(plan: &Plan) -> Result<Self> {
        let stream = TcpStream::connect(&plan.address).await?;
        stream.set_nodelay(true)?;
        let inner = Arc::new(Mutex::new((stream, Input::new())));
        Ok(Self { inner })
    }

    /// Reads a stream of `count` items and checks each.
    pub(crate) async fn read(&self, size: usize, count: u64, stamp: &mut Stamp<'_>) -> Result<()> {
        let mut inner = self.inner.lock().await;
        let (stream, input) = &mut *inner;
        stream.write_all(&count.to_le_bytes()).await?;
        let mut number = 0;
        while number < count {
            if !input.read(stream).await? {
                return Err("the server closed".into());
            }
            let whole = input.whole();
            let mut rest = &input.bytes()[..whole];
            while let Some(length) = frame::length(rest) {
                let (item, after) = rest.split_at(length);
                rest = after;
                if !body_is_right(&item[HEAD..], size, number) {
                    return Err("a wrong item".into());
                }
                number += 1;
                stamp.item();
            }
            input.consume(whole);
        }
        Ok(())
    }
}

/// Answers each count with so many items.
pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    size: usize,
) -> io::Result<()> {
    let mut item = body(size);
    let mut out = Vec::new();
    loop {
        let mut count = [0; 8];
        stream.read_exact(&mut count).await?;
        for number in 0..u64::from_le_bytes(count) {
            if let Some(place) = item.first_chunk_mut() {
                *place = number.to_le_bytes();
            }
            frame::append(&mut out, 0, number, &item, size);
            if out.len() >= BATCH {
                stream.write_all(&out).await?;
                out.clear();
            }
        }
        stream.write_all(&out).await?;
        out.clear();
    }
}

/// Bytes of a write.
const BATCH: usize = 64 << 10;
