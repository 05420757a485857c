//! The batching client: callers append to one buffer, and the writer yields once before it takes the buffer.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bench_load::{Error, Plan, Result};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::frame::{self, Sizes};
use crate::server::Input;

/// One connection shared by all callers.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    appended: Notify,
    sizes: Sizes,
    echoes: bool,
}

#[derive(Default)]
struct State {
    out: Vec<u8>,
    slots: Vec<Slot>,
    free: Vec<usize>,
    broken: bool,
}

/// One call in flight.
#[derive(Default)]
struct Slot {
    number: u64,
    waker: Option<Waker>,
    /// Whether the answer was right, once it is there.
    answer: Option<bool>,
}

impl Client {
    pub(crate) async fn connect(plan: &Plan, sizes: Sizes) -> Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            appended: Notify::new(),
            sizes,
            echoes: plan.case == bench_load::Case::Echo,
        });
        if plan.unix {
            let (reader, writer) = UnixStream::connect(&plan.address).await?.into_split();
            Shared::run(&shared, reader, writer);
        } else {
            let stream = TcpStream::connect(&plan.address).await?;
            stream.set_nodelay(true)?;
            let (reader, writer) = stream.into_split();
            Shared::run(&shared, reader, writer);
        }
        Ok(Self { shared })
    }

    /// Sends a payload and waits until it was seen to come back.
    pub(crate) async fn call(&self, number: u64, body: &[u8]) -> Result<(), Error> {
        let mut index = None;
        let right = poll_fn(|context| {
            let mut state = self.shared.lock();
            let Some(index) = index else {
                index = Some(
                    self.shared
                        .append(&mut state, number, body, context.waker()),
                );
                return Poll::Pending;
            };
            if let Some(right) = state.slots[index].answer.take() {
                state.free.push(index);
                return Poll::Ready(right);
            }
            if state.broken {
                return Poll::Ready(false);
            }
            state.slots[index].waker = Some(context.waker().clone());
            Poll::Pending
        });
        if right.await {
            Ok(())
        } else {
            Err("a wrong answer, or none".into())
        }
    }
}

impl Shared {
    fn run<R, W>(shared: &Arc<Self>, reader: R, writer: W)
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (for_reading, for_writing) = (shared.clone(), shared.clone());
        tokio::spawn(async move {
            let _ = for_reading.read(reader).await;
            for_reading.give_up();
        });
        tokio::spawn(async move {
            let _ = for_writing.write(writer).await;
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, state: &mut State, number: u64, body: &[u8], waker: &Waker) -> usize {
        let index = state.free.pop().unwrap_or(state.slots.len());
        if index == state.slots.len() {
            state.slots.push(Slot::default());
        }
        state.slots[index] = Slot {
            number,
            waker: Some(waker.clone()),
            answer: None,
        };
        if state.out.is_empty() {
            self.appended.notify_one();
        }
        frame::append(
            &mut state.out,
            index as u64,
            number,
            body,
            self.sizes.request,
        );
        index
    }

    async fn write(&self, mut writer: impl AsyncWrite + Unpin) -> io::Result<()> {
        let mut batch = Vec::new();
        loop {
            self.appended.notified().await;
            // All callers made ready by the same read share one write.
            yield_now().await;
            mem::swap(&mut batch, &mut self.lock().out);
            writer.write_all(&batch).await?;
            batch.clear();
        }
    }

    async fn read(&self, mut reader: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut input = Input::new();
        let mut wakers = Vec::new();
        while input.read(&mut reader).await? {
            let whole = input.whole();
            self.hand_over(&input.bytes()[..whole], &mut wakers);
            input.consume(whole);
            wakers.drain(..).for_each(Waker::wake);
        }
        Ok(())
    }

    fn hand_over(&self, mut frames: &[u8], wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        while let Some(length) = frame::length(frames) {
            let (frame, rest) = frames.split_at(length);
            frames = rest;
            let Some(slot) = state.slots.get_mut(frame::id(frame) as usize) else {
                continue;
            };
            let (payload, size) = (&frame[frame::HEAD..], self.sizes.reply);
            slot.answer = Some(if self.echoes {
                bench_load::body_is_right(payload, size, slot.number)
            } else {
                frame::is_right(payload, size, slot.number)
            });
            wakers.extend(slot.waker.take());
        }
    }

    fn give_up(&self) {
        let mut state = self.lock();
        state.broken = true;
        let wakers: Vec<Waker> = state
            .slots
            .iter_mut()
            .filter_map(|slot| slot.waker.take())
            .collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}
