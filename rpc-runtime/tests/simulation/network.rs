//! A network in memory that delays, trickles, cuts at any byte, partitions, and follows one seed.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rpc_runtime::{Acceptor, Connection, Opening, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// A repeatable sequence of numbers.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn millis(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }
}

/// One direction of a connection.
struct Pipe {
    /// What is on its way, with the moment when it is there.
    pieces: VecDeque<(Instant, Vec<u8>)>,
    /// Bytes on their way that fit.
    capacity: usize,
    latest: Instant,
    delay: Duration,
    written: u64,
    /// The connection breaks when so many bytes were written.
    cut_at: Option<u64>,
    closed: bool,
    broken: bool,
    held: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    dice: Dice,
}

impl Pipe {
    fn wake(&mut self) {
        let wakers = [self.reader.take(), self.writer.take()];
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn on_the_way(&self) -> usize {
        self.pieces.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// What was taken may get there, or a part of it, or nothing.
    fn break_off(&mut self) {
        if self.broken {
            return;
        }
        self.broken = true;
        self.held = false;
        let mut keep = match self.dice.below(3) {
            0 => 0,
            1 => usize::MAX,
            _ => self.dice.below(self.on_the_way() as u64 + 1) as usize,
        };
        for (_, bytes) in &mut self.pieces {
            bytes.truncate(keep.min(bytes.len()));
            keep -= bytes.len();
        }
        self.pieces.retain(|(_, bytes)| !bytes.is_empty());
        self.wake();
    }
}

type Shared = Arc<Mutex<Pipe>>;

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Wire {
    from: String,
    to: String,
    pipes: [Shared; 2],
}

impl Wire {
    fn joins(&self, host: &str) -> bool {
        self.from == host || self.to == host
    }

    fn is_over(&self) -> bool {
        self.pipes
            .iter()
            .all(|pipe| lock(pipe).broken || Arc::strong_count(pipe) == 1)
    }

    fn break_off(&self) {
        self.pipes.iter().for_each(|pipe| lock(pipe).break_off());
    }
}

/// All hosts, and the wires between them.
pub(crate) struct Network {
    state: Mutex<State>,
}

struct State {
    listeners: BTreeMap<String, mpsc::UnboundedSender<Connection>>,
    wires: Vec<Wire>,
    cut_off: Vec<String>,
    dice: Dice,
    trouble: bool,
    /// Attempts to connect, with their time.
    attempts: Vec<Instant>,
}

impl Network {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let state = State {
            listeners: BTreeMap::new(),
            wires: Vec::new(),
            cut_off: Vec::new(),
            dice: Dice::new(seed ^ 0x6e65_7477_6f72_6b21),
            trouble: true,
            attempts: Vec::new(),
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    /// The network as one host sees it.
    pub(crate) fn host(self: &Arc<Self>, name: &str) -> Host {
        Host {
            network: self.clone(),
            name: name.to_owned(),
        }
    }

    /// Every later wire is quick and whole.
    pub(crate) fn calm(&self) {
        let mut state = lock(&self.state);
        state.trouble = false;
        for wire in &state.wires {
            wire.pipes.iter().for_each(|pipe| lock(pipe).cut_at = None);
        }
    }

    /// The host is gone from one moment to the next, and its buffers with it.
    pub(crate) fn kill(&self, host: &str) {
        let mut state = lock(&self.state);
        state
            .listeners
            .retain(|address, _| host_of(address) != host);
        state
            .wires
            .iter()
            .filter(|wire| wire.joins(host))
            .for_each(Wire::break_off);
    }

    /// Breaks one wire of a host.
    pub(crate) fn cut(&self, host: &str) {
        let mut state = lock(&self.state);
        state.wires.retain(|wire| !wire.is_over());
        let pick = state.dice.next() as usize;
        let wires: Vec<_> = state.wires.iter().filter(|wire| wire.joins(host)).collect();
        if !wires.is_empty() {
            wires[pick % wires.len()].break_off();
        }
    }

    /// Nothing arrives at the host, and nothing from it, until it is joined again.
    pub(crate) fn part(&self, host: &str, parted: bool) {
        let mut state = lock(&self.state);
        state.cut_off.retain(|name| name != host);
        if parted {
            state.cut_off.push(host.to_owned());
        }
        let cut_off = state.cut_off.clone();
        for wire in &state.wires {
            let held = cut_off.iter().any(|name| wire.joins(name));
            for pipe in &wire.pipes {
                let mut pipe = lock(pipe);
                pipe.held = held && !pipe.broken;
                pipe.wake();
            }
        }
    }

    /// When connections were asked for.
    pub(crate) fn attempts(&self) -> Vec<Instant> {
        lock(&self.state).attempts.clone()
    }

    fn is_parted(&self, from: &str, to: &str) -> bool {
        let state = lock(&self.state);
        state.cut_off.iter().any(|name| name == from || name == to)
    }

    async fn connect(&self, from: &str, address: &str) -> io::Result<Connection> {
        let to = host_of(address);
        let pause = {
            let mut state = lock(&self.state);
            state.attempts.push(Instant::now());
            state.dice.millis(4)
        };
        sleep(pause).await;
        let patience = Instant::now() + Duration::from_secs(3);
        while self.is_parted(from, to) {
            if Instant::now() >= patience {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        let mut state = lock(&self.state);
        let (pipes, peer) = ([state.pipe(), state.pipe()], format!("tcp://{from}:9"));
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let listener = state.listeners.get(address).ok_or_else(refused)?;
        let there = ends(&pipes[0], &pipes[1], peer);
        listener.send(there).map_err(|_| refused())?;
        let here = ends(&pipes[1], &pipes[0], address.to_owned());
        state.wires.push(Wire {
            from: from.to_owned(),
            to: to.to_owned(),
            pipes,
        });
        Ok(here)
    }
}

impl State {
    fn pipe(&mut self) -> Shared {
        let mut dice = Dice::new(self.dice.next());
        let trouble = self.trouble;
        let (capacity, delay) = match dice.below(8) {
            // So small and slow that frames are under way for long.
            0 if trouble => (
                8 + dice.below(40) as usize,
                Duration::from_millis(2 + dice.below(30)),
            ),
            1 | 2 if trouble => (4 << 10, dice.millis(200)),
            _ => (64 << 10, dice.millis(3)),
        };
        let far = if dice.one_in(3) { 300_000 } else { 2_500 };
        let cut_at = (trouble && dice.one_in(4)).then(|| dice.below(far));
        Arc::new(Mutex::new(Pipe {
            pieces: VecDeque::new(),
            capacity,
            latest: Instant::now(),
            delay,
            written: 0,
            cut_at,
            closed: false,
            broken: false,
            held: false,
            reader: None,
            writer: None,
            dice,
        }))
    }
}

fn host_of(address: &str) -> &str {
    let rest = address.trim_start_matches("tcp://");
    rest.split(':').next().unwrap_or(rest)
}

fn ends(read: &Shared, write: &Shared, peer: String) -> Connection {
    let both = [read.clone(), write.clone()];
    Connection {
        reader: Box::new(Reader(read.clone(), None)),
        writer: Box::new(Writer(write.clone(), both)),
        peer,
    }
}

struct Reader(Shared, Option<Pin<Box<Sleep>>>);

struct Writer(Shared, [Shared; 2]);

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let due = {
                let mut pipe = lock(&this.0);
                pipe.reader = Some(cx.waker().clone());
                if pipe.held {
                    return Poll::Pending;
                }
                let (broken, closed) = (pipe.broken, pipe.closed);
                match pipe.pieces.front_mut() {
                    None if broken => {
                        return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                    }
                    None if closed => return Poll::Ready(Ok(())),
                    None => return Poll::Pending,
                    Some((due, bytes)) if *due <= Instant::now() => {
                        let count = bytes.len().min(buf.remaining());
                        buf.put_slice(&bytes[..count]);
                        bytes.drain(..count);
                        if bytes.is_empty() {
                            pipe.pieces.pop_front();
                        }
                        if let Some(writer) = pipe.writer.take() {
                            writer.wake();
                        }
                        return Poll::Ready(Ok(()));
                    }
                    Some((due, _)) => *due,
                }
            };
            let timer = this.1.insert(Box::pin(sleep_until(due)));
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let cut = {
            let mut pipe = lock(&self.0);
            if pipe.broken || pipe.closed {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let room = pipe.capacity.saturating_sub(pipe.on_the_way());
            if room == 0 {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let mut count = bytes.len().min(room);
            if count > 1 && pipe.dice.one_in(4) {
                count = 1 + pipe.dice.below(count as u64) as usize;
            }
            if let Some(cut_at) = pipe.cut_at {
                count = count.min((cut_at - pipe.written) as usize);
            }
            pipe.written += count as u64;
            pipe.latest = pipe.latest.max(Instant::now() + pipe.delay);
            let due = pipe.latest;
            pipe.pieces.push_back((due, bytes[..count].to_vec()));
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
            match pipe.cut_at == Some(pipe.written) {
                true if count == 0 => Some(Err(io::ErrorKind::BrokenPipe.into())),
                true => Some(Ok(count)),
                false => return Poll::Ready(Ok(count)),
            }
        };
        self.1.iter().for_each(|pipe| lock(pipe).break_off());
        cut.map_or(Poll::Pending, Poll::Ready)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.0);
        Poll::Ready(Ok(()))
    }
}

fn close(pipe: &Shared) {
    let mut pipe = lock(pipe);
    pipe.closed = true;
    pipe.wake();
}

impl Drop for Writer {
    fn drop(&mut self) {
        close(&self.0);
    }
}

impl Drop for Reader {
    /// What nobody reads any more fails at the writer.
    fn drop(&mut self) {
        let mut pipe = lock(&self.0);
        pipe.pieces.clear();
        pipe.broken = true;
        pipe.wake();
    }
}

/// The network as one host sees it.
pub(crate) struct Host {
    network: Arc<Network>,
    name: String,
}

impl Transport for Host {
    fn connect<'a>(&'a self, address: &'a str) -> Opening<'a, Connection> {
        Box::pin(self.network.connect(&self.name, address))
    }

    fn listen<'a>(&'a self, address: &'a str) -> Opening<'a, Box<dyn Acceptor>> {
        let (sender, incoming) = mpsc::unbounded_channel();
        let network = self.network.clone();
        lock(&network.state)
            .listeners
            .insert(address.to_owned(), sender.clone());
        let port = Port {
            address: address.to_owned(),
            network,
            sender,
            incoming,
        };
        Box::pin(async move { Ok(Box::new(port) as Box<dyn Acceptor>) })
    }
}

struct Port {
    address: String,
    network: Arc<Network>,
    sender: mpsc::UnboundedSender<Connection>,
    incoming: mpsc::UnboundedReceiver<Connection>,
}

impl Acceptor for Port {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn accept(&mut self) -> Opening<'_, Connection> {
        Box::pin(poll_fn(|cx| {
            let gone = || io::Error::other("the host is gone");
            self.incoming
                .poll_recv(cx)
                .map(|connection| connection.ok_or_else(gone))
        }))
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let mut state = lock(&self.network.state);
        // A successor may have the address by now.
        let ours = |sender: &mpsc::UnboundedSender<Connection>| sender.same_channel(&self.sender);
        if state.listeners.get(&self.address).is_some_and(ours) {
            state.listeners.remove(&self.address);
        }
    }
}
