//! One call at a time: written, and then read by whoever called.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;

use bench_load::{Blocking, Case, Error, Plan, Result, Server};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;

use crate::frame::{self, HEAD, Sizes};

/// Echoes with blocking sockets, one thread for each connection.
pub(crate) fn serve(plan: &Plan) -> Result<Server> {
    let address = if plan.unix {
        let listener = UnixListener::bind(&plan.address)?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || echo(stream));
            }
        });
        plan.address.clone()
    } else {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stream.set_nodelay(true).is_ok() {
                    thread::spawn(move || echo(stream));
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

fn echo(mut stream: impl Read + Write) -> std::io::Result<()> {
    let mut buffer = vec![0; SPACE];
    let mut filled = 0;
    loop {
        let wanted = frame::length(&buffer[..filled]).unwrap_or(HEAD);
        buffer.resize(wanted.max(buffer.len()), 0);
        if filled >= wanted {
            stream.write_all(&buffer[..wanted])?;
            buffer.copy_within(wanted..filled, 0);
            filled -= wanted;
            continue;
        }
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            count => filled += count,
        }
    }
}

/// The client with a blocking socket.
pub(crate) struct BlockingClient {
    stream: Box<dyn Stream>,
    sizes: Sizes,
    buffer: Vec<u8>,
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

impl BlockingClient {
    pub(crate) fn connect(plan: &Plan) -> Result<Self> {
        let stream: Box<dyn Stream> = if plan.unix {
            Box::new(UnixStream::connect(&plan.address)?)
        } else {
            let stream = TcpStream::connect(&plan.address)?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        };
        Ok(Self {
            stream,
            sizes: Sizes::of(plan),
            buffer: Vec::new(),
        })
    }
}

impl Blocking for BlockingClient {
    fn call(&mut self, case: Case, number: u64, body: &[u8]) -> Result<()> {
        let Self {
            stream,
            sizes,
            buffer,
        } = self;
        buffer.clear();
        frame::append(buffer, 0, number, body, sizes.request);
        stream.write_all(buffer)?;
        buffer.resize(HEAD + sizes.reply, 0);
        stream.read_exact(buffer)?;
        check(&buffer[HEAD..], case == Case::Echo, *sizes, number)
    }
}

fn check(payload: &[u8], echoes: bool, sizes: Sizes, number: u64) -> Result<()> {
    let right = if echoes {
        bench_load::body_is_right(payload, sizes.reply, number)
    } else {
        frame::is_right(payload, sizes.reply, number)
    };
    if right {
        Ok(())
    } else {
        Err("a wrong answer".into())
    }
}

/// The client with a socket of tokio's.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Mutex<Inner>>,
    sizes: Sizes,
}

struct Inner {
    stream: Box<dyn AsyncStream>,
    buffer: Vec<u8>,
}

trait AsyncStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> AsyncStream for S {}

impl Client {
    pub(crate) async fn connect(plan: &Plan, sizes: Sizes) -> Result<Self> {
        let stream: Box<dyn AsyncStream> = if plan.unix {
            Box::new(tokio::net::UnixStream::connect(&plan.address).await?)
        } else {
            let stream = tokio::net::TcpStream::connect(&plan.address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        };
        let buffer = Vec::new();
        let inner = Arc::new(Mutex::new(Inner { stream, buffer }));
        Ok(Self { inner, sizes })
    }

    pub(crate) async fn call(&self, number: u64, body: &[u8]) -> Result<(), Error> {
        let mut inner = self.inner.lock().await;
        let Inner { stream, buffer } = &mut *inner;
        buffer.clear();
        frame::append(buffer, 0, number, body, self.sizes.request);
        stream.write_all(buffer).await?;
        buffer.resize(HEAD + self.sizes.reply, 0);
        stream.read_exact(buffer).await?;
        check(&buffer[HEAD..], !body.is_empty(), self.sizes, number)
    }
}

const SPACE: usize = 64 << 10;
