//! The batching server: all complete frames of one read are answered by one write.

use std::io;

use bench_load::{Plan, Result, Server};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use crate::frame::{self, FILL, HEAD, Sizes};
use crate::streamed;

pub(crate) async fn serve(plan: &Plan) -> Result<Server> {
    let sizes = Sizes::of(plan);
    let exact = sizes.request != sizes.reply;
    let streams = plan.case == bench_load::Case::Stream;
    let address = if plan.unix {
        let listener = UnixListener::bind(&plan.address)?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, sizes, exact, streams));
            }
        });
        plan.address.clone()
    } else {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if stream.set_nodelay(true).is_ok() {
                    tokio::spawn(answer(stream, sizes, exact, streams));
                }
            }
        });
        address
    };
    Ok(Server {
        address,
        keep: Box::new(()),
    })
}

/// Ends when the peer closes, and then for no other reason that matters here.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    sizes: Sizes,
    exact: bool,
    streams: bool,
) -> io::Result<()> {
    if streams {
        streamed::serve(stream, sizes.reply).await
    } else if exact {
        answer_exactly(stream, sizes.reply).await
    } else {
        echo(stream).await
    }
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut input = Input::new();
    while input.read(&mut stream).await? {
        let whole = input.whole();
        stream.write_all(&input.bytes()[..whole]).await?;
        input.consume(whole);
    }
    Ok(())
}

async fn answer_exactly(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    size: usize,
) -> io::Result<()> {
    let mut input = Input::new();
    let mut out = Vec::new();
    let template = vec![FILL; size];
    while input.read(&mut stream).await? {
        let whole = input.whole();
        let mut rest = &input.bytes()[..whole];
        while let Some(length) = frame::length(rest) {
            let (request, after) = rest.split_at(length);
            out.extend_from_slice(&((8 + size) as u32).to_le_bytes());
            out.extend_from_slice(&request[4..HEAD + 8]);
            out.extend_from_slice(&template[8..]);
            rest = after;
        }
        stream.write_all(&out).await?;
        out.clear();
        input.consume(whole);
    }
    Ok(())
}

/// A read buffer that holds at least one whole frame.
pub(crate) struct Input {
    buffer: Vec<u8>,
    filled: usize,
}

impl Input {
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; SPACE],
            filled: 0,
        }
    }

    /// Reads once; false when the peer has closed.
    pub(crate) async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        let wanted = frame::length(&self.buffer[..self.filled]).unwrap_or(0);
        if self.buffer.len() < wanted + SPACE / 2 && wanted > SPACE / 2 {
            self.buffer.resize(wanted + SPACE, 0);
        }
        let count = stream.read(&mut self.buffer[self.filled..]).await?;
        self.filled += count;
        Ok(count > 0)
    }

    /// Bytes of all complete frames.
    pub(crate) fn whole(&self) -> usize {
        let mut whole = 0;
        while let Some(length) = frame::length(&self.buffer[whole..self.filled]) {
            if whole + length > self.filled {
                break;
            }
            whole += length;
        }
        whole
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
    }
}

const SPACE: usize = 64 << 10;
