//! The limit: length-prefixed frames of 16 bytes echoed by hand, batched on both sides, without codec or call semantics.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;

/// Length, request number, payload.
const FRAME: usize = 4 + 8 + 8;

/// Echoes every frame; all frames of one read are answered by one write.
pub async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let (mut buffer, mut filled) = (vec![0; 64 << 10], 0);
            loop {
                match stream.read(&mut buffer[filled..]).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => filled += count,
                }
                let whole = filled / FRAME * FRAME;
                if stream.write_all(&buffer[..whole]).await.is_err() {
                    return;
                }
                buffer.copy_within(whole..filled, 0);
                filled -= whole;
            }
        });
    }
}

/// One connection shared by all callers.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    written: Notify,
}

#[derive(Default)]
struct State {
    out: Vec<u8>,
    waiting: HashMap<u64, oneshot::Sender<u64>>,
    next: u64,
}

impl Client {
    /// Connects and starts a reader and a writer.
    pub async fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            written: Notify::new(),
        });
        tokio::spawn(read(shared.clone(), reader));
        tokio::spawn(write(shared.clone(), writer));
        Ok(Self { shared })
    }

    /// Sends a number and waits for it to come back.
    pub async fn call(&self, payload: u64) -> u64 {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            let id = state.next;
            state.next += 1;
            state.waiting.insert(id, sender);
            state
                .out
                .extend_from_slice(&((FRAME - 4) as u32).to_le_bytes());
            state.out.extend_from_slice(&id.to_le_bytes());
            state.out.extend_from_slice(&payload.to_le_bytes());
        }
        self.shared.written.notify_one();
        receiver.await.unwrap_or(u64::MAX)
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(shared: Arc<Shared>, mut writer: OwnedWriteHalf) {
    let mut batch = Vec::new();
    loop {
        shared.written.notified().await;
        // All callers made ready by the same read share one write.
        yield_now().await;
        std::mem::swap(&mut batch, &mut shared.lock().out);
        if writer.write_all(&batch).await.is_err() {
            return;
        }
        batch.clear();
    }
}

async fn read(shared: Arc<Shared>, mut reader: OwnedReadHalf) {
    let (mut buffer, mut filled) = (vec![0; 64 << 10], 0);
    loop {
        match reader.read(&mut buffer[filled..]).await {
            Ok(0) | Err(_) => return,
            Ok(count) => filled += count,
        }
        let whole = filled / FRAME * FRAME;
        let mut state = shared.lock();
        for frame in buffer[..whole].chunks_exact(FRAME) {
            let number =
                |at: usize| u64::from_le_bytes(std::array::from_fn(|index| frame[at + index]));
            if let Some(caller) = state.waiting.remove(&number(4)) {
                let _ = caller.send(number(12));
            }
        }
        drop(state);
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}
