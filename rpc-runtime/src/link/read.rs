//! Input of a link: frames to waiting callers and to handlers, in the order they came.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use super::drain::ANNOUNCED;
use super::handshake::told;
use super::in_place::InPlace;
use super::keep::LAST_WORDS;
use super::objects::drop_objects;
use super::turn::Turn;
use super::{Link, Phase, State, refused};
use crate::error::{Error, ErrorKind, Execution};
use crate::object::LentResult;
use crate::server::Skeleton;
use crate::status::Status;
use crate::wire::budgets::Charge;
use crate::wire::calls::Answer;
use crate::wire::frame::{self, Frame, GoAwayReason, Kind};
use crate::wire::inbound::{Inbound, Refusal};
use crate::wire::pieces::Piece;
use crate::wire::streams::Side;

pub(super) type Input = Box<dyn AsyncRead + Send + Unpin>;

/// Room made in the read buffer when less than [`LOW_ROOM`] is left.
pub(super) const READ_AHEAD: usize = 64 << 10;
/// The same while reads fill what they are given.
const READ_FAR_AHEAD: usize = 256 << 10;
const LOW_ROOM: usize = 8 << 10;

/// PINGs that come too soon before the connection ends.
const PING_STRIKES: u32 = 3;

/// What is to be done outside of the lock after answers have come.
#[derive(Default)]
pub(super) struct Woken {
    wakers: Vec<Waker>,
    /// Objects that nobody refers to any more.
    back: Vec<Arc<dyn Skeleton>>,
}

impl Woken {
    /// Nothing.
    pub(super) const NONE: Self = Self {
        wakers: Vec::new(),
        back: Vec::new(),
    };

    /// Does it; what is left is empty, with room for the next time.
    pub(super) fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
        drop_objects(std::mem::take(&mut self.back));
    }
}

/// What was done with the frames of a read.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    count: usize,
    /// Those that were answers to our calls, and could be read as they were.
    answers: usize,
    /// Some of them were not answers, so that there may be something to write.
    wrote: bool,
}

/// What a wait for input ended with.
enum Event {
    Closed,
    TooSlow,
    Read(io::Result<usize>),
}

impl Link {
    /// Reads until the connection ends, then closes the link.
    pub(super) async fn read_loop(self: Arc<Self>, mut input: Input, mut inbound: Inbound) {
        let mut partial_since = None;
        let mut read = Instant::now();
        let (mut counted, mut is_closed) = (0, false);
        // Asked for once: to ask anew before each read would cost more than the rest of a short one.
        let mut closed = pin!(self.closed());
        let mut ahead = READ_AHEAD;
        let mut in_place = None;
        loop {
            let taken = self.take_frames(&mut inbound, &mut in_place, read);
            let taken = taken.and_then(|taken| {
                if in_place.is_none() {
                    in_place = self.read_in_place(&mut inbound);
                }
                self.count_partial(&inbound, &mut counted)?;
                Ok(taken)
            });
            let taken = match taken {
                Ok(taken) => taken,
                Err(refusal) => {
                    self.refuse(refusal);
                    return self.swallow(input).await;
                }
            };
            let has_partial = in_place.is_some() || inbound.has_partial();
            if taken.count > 0 || !has_partial {
                partial_since = None;
            }
            if taken.answers > 1 {
                // Their callers have their turn, and their next calls share one write.
                yield_now().await;
                self.lock().flushed_soon = false;
                self.flush_now();
            } else if taken.wrote {
                self.flush_now();
            }
            if is_closed {
                // What came before its end is refused by now.
                return;
            }
            if self.choked.load(Ordering::Relaxed) {
                if !self.until_drained().await {
                    return;
                }
                self.choked.store(false, Ordering::Relaxed);
                // Frames that are here were left where they are.
                continue;
            }
            if has_partial {
                partial_since.get_or_insert_with(Instant::now);
            }
            let limit = partial_since.map(|since| since + self.limits.frame_timeout);
            let event = read_more(
                &mut input,
                (inbound.buffer(), &mut in_place),
                &mut ahead,
                limit,
                closed.as_mut(),
            );
            match event.await {
                // A peer that was told to go may have sent something before it heard.
                Event::Closed if self.lock().leaving.refusing => return self.swallow(input).await,
                Event::Closed => return,
                Event::TooSlow => {
                    let text = format!(
                        "a frame was not complete within {:?}",
                        self.limits.frame_timeout
                    );
                    self.go_away(GoAwayReason::Limit, &text);
                    return self.swallow(input).await;
                }
                Event::Read(Ok(0)) => return self.input_ended(has_partial),
                Event::Read(Ok(_)) => (read, is_closed) = self.heard(),
                Event::Read(Err(error)) => {
                    let told = told(&error).map(|told| told.with_execution(Execution::Unknown));
                    return self.close(told.unwrap_or_else(|| Error::lost(&self.peer, error)));
                }
            }
        }
    }

    /// Handles the whole frames that are here, until too much output is unread.
    fn take_frames(
        self: &Arc<Self>,
        inbound: &mut Inbound,
        in_place: &mut Option<InPlace>,
        read: Instant,
    ) -> Result<Taken, Refusal> {
        let mut turn = Turn::begin(self, read);
        let mut taken = Taken::default();
        // Frames to come that are not taken together.
        let mut singly = 0;
        if let Some(piece) = in_place.take_if(|piece| piece.is_whole()) {
            (taken.count, taken.wrote) = (1, true);
            self.on_data(piece.finish(inbound.buffer()))?;
            self.check_budgets()?;
        }
        while !self.choked.load(Ordering::Relaxed) {
            if singly > 0 {
                singly -= 1;
            } else if let Some(run) = inbound.run() {
                let (count, length) = (run.count() as usize, run.len());
                turn.settle();
                if self.on_run(run)? {
                    inbound.skip(length);
                    taken.count += count;
                    taken.wrote = true;
                    continue;
                }
                singly = count - 1;
            }
            let Some(frame) = inbound.next_frame()? else {
                break;
            };
            taken.count += 1;
            let is_answer = is_plain_answer(&frame);
            taken.answers += usize::from(is_answer);
            taken.wrote |= !is_answer;
            self.on_frame(frame, &mut turn)?;
            turn.look();
            self.check_budgets()?;
        }
        drop(turn);
        self.charge_skipped(inbound);
        self.check_budgets()?;
        Ok(taken)
    }

    #[inline]
    fn on_frame(self: &Arc<Self>, frame: Frame, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        if is_plain_answer(&frame) {
            turn.on_answer(frame);
            return Ok(());
        }
        // What comes behind answers may be about the same calls.
        turn.settle();
        match frame.kind {
            Kind::Call => self.on_call(frame),
            Kind::Reply | Kind::Fail => {
                self.on_answer(frame);
                Ok(())
            }
            Kind::Item => self.on_item(frame),
            Kind::Data => self.on_data(Piece::Framed(frame)),
            Kind::End => self.on_end(frame.request_id),
            Kind::Credit => {
                self.on_credit(&frame);
                Ok(())
            }
            Kind::Cancel => {
                self.on_cancel(frame.request_id);
                Ok(())
            }
            Kind::Ping => self.on_ping(&frame),
            Kind::Pong => {
                let mut state = self.lock();
                if state.ping_sent.take().is_none() && !state.pings.answered {
                    self.charge(&mut state, Charge::Control(1));
                }
                state.pings.answered = false;
                if frame.fixed.token() == ANNOUNCED {
                    self.on_announcement_heard(&mut state);
                }
                Ok(())
            }
            Kind::GoAway => {
                self.on_go_away(&frame);
                Ok(())
            }
            Kind::Release => {
                self.on_release(&frame);
                Ok(())
            }
            // Inbound lets one HELLO through, which the handshake took.
            Kind::Hello => Err(Refusal::Frame(
                GoAwayReason::Protocol,
                "a second HELLO".to_owned(),
            )),
        }
    }

    pub(super) fn on_answer(self: &Arc<Self>, mut frame: Frame) {
        let unreadable = self.unpack_answer(&mut frame);
        let key = (Side::Ours, frame.request_id);
        let mut state = self.lock();
        // The read that brought the answer was a moment ago; asking the clock again would cost more than it tells.
        let now = state.last_heard;
        state.last_call = now;
        if frame.kind == Kind::Reply && frame.flags & frame::flag::MORE != 0 {
            // What nobody asked for is not kept.
            let Some(wanted) = state.calls.is_owed(frame.request_id) else {
                return;
            };
            let held = state.held() + frame.body.len() as u64;
            if wanted && held > self.limits.connection_memory {
                drop(state);
                return self.give_up(key, Some(frame), "no room for the beginning of the answer");
            }
            state.pieces.begin(key, frame, wanted, now);
            self.wake_keeper.notify_one();
            return;
        }
        let lends = frame::flag::LENDS | frame::flag::ERROR | frame::flag::COMPRESSED;
        let answer = match (unreadable, frame.kind, frame.flags & lends) {
            (Some(unreadable), ..) => unreadable,
            (None, Kind::Reply, frame::flag::LENDS) => {
                let (link, body) = (self.clone(), frame.body.clone());
                state.borrowed += 1;
                Answer::Lent(Arc::new(LentResult::new(link, body, &state.objects)))
            }
            _ => read_answer(frame, &self.peer),
        };
        // An object that nobody takes is given back when this is dropped, which needs the lock.
        let kept = match &answer {
            Answer::Lent(result) => Some(result.clone()),
            _ => None,
        };
        let mut woken = Woken::default();
        self.settle_answer(&mut state, key.1, answer, &mut woken);
        drop(state);
        drop(kept);
        woken.wake();
    }

    /// Hands an answer to who waits for it.
    pub(super) fn settle_answer(
        &self,
        state: &mut State,
        id: u32,
        answer: Answer,
        woken: &mut Woken,
    ) {
        let key = (Side::Ours, id);
        if state.calls.is_owed(id).is_some() {
            state.budgets.worked(1);
        } else {
            self.charge(state, Charge::Control(1));
        }
        // A stream that broke in the middle of an item.
        state.pieces.drop_body(key);
        if state.objects.travel() {
            let started = !matches!(&answer, Answer::Failed(error) if error.is_not_started());
            woken.back.extend(state.objects.settle(id, started));
        }
        woken.wakers.extend(state.calls.answered(id, answer));
        woken.wakers.extend(state.streams.stopped(key));
        let dropped = state.out.drop_body(key);
        // What waited for the end of the body is in the output now, or what was held for the answer.
        let now = state.last_heard;
        if dropped | state.out.answered(id, now) {
            self.wake_keeper.notify_one();
        }
        self.made_room(state);
    }

    fn on_ping(&self, frame: &Frame) -> Result<(), Refusal> {
        let mut state = self.lock();
        let now = Instant::now();
        // Both sides count, and only what comes sooner than they announced.
        let soon = state
            .pings
            .last
            .is_some_and(|last| now.duration_since(last) < self.limits.min_ping_interval);
        state.pings.last = Some(now);
        state.pings.strikes = if soon { state.pings.strikes + 1 } else { 0 };
        if state.pings.strikes >= PING_STRIKES {
            let text = format!(
                "too many PINGs: one in {:?} is allowed",
                self.limits.min_ping_interval
            );
            return Err(Refusal::Frame(GoAwayReason::Limit, text));
        }
        state.queued_control += 1;
        frame::write_ping(state.out.buffer(), Kind::Pong, frame.fixed.token());
        self.choke(&state);
        Ok(())
    }

    fn on_go_away(&self, frame: &Frame) {
        let part = frame.go_away_part();
        let text = frame::read_message(&frame.body);
        let error = Error::unavailable(format!("{} takes no more calls: {text}", self.peer))
            .with_peer(&*self.peer);
        let mut state = self.lock();
        self.charge(&mut state, Charge::Control(1));
        if state.phase == Phase::Open {
            state.phase = Phase::Draining;
        }
        state.line_drawn |= part.is_final;
        let mut back = Vec::new();
        // An announcement draws no line yet.
        let wakers = if part.is_final {
            let State {
                calls,
                objects,
                out,
                ..
            } = &mut *state;
            // What is left of them need not go out, and what waited for that may.
            self.wake_keeper.notify_one();
            calls.refuse_above(&part, &error, |id| {
                out.drop_body((Side::Ours, id));
                back.extend(objects.settle(id, false));
            })
        } else {
            Vec::new()
        };
        self.room.notify_waiters();
        drop(state);
        self.peer_left(Duration::from_millis(u64::from(part.reconnect_ms)));
        let _ = self.reason.set(error);
        wakers.into_iter().for_each(std::task::Waker::wake);
        drop_objects(back);
    }

    /// Notes that something came: when, and whether the link is closed.
    fn heard(&self) -> (Instant, bool) {
        let now = Instant::now();
        let mut state = self.lock();
        state.last_heard = now;
        // Whatever comes is a sign of life; the PONG that follows is still an answer.
        state.pings.answered |= state.ping_sent.take().is_some();
        if state.tally.is_due(now)
            && let Some(breaker) = &self.breaker
        {
            state.tally.tell(breaker, now);
        }
        (now, state.phase == Phase::Closed)
    }

    fn input_ended(&self, in_frame: bool) {
        let what = if in_frame {
            "the peer closed it in the middle of a frame"
        } else {
            "the peer closed it"
        };
        let reason = self.reason.get().cloned();
        self.close(reason.map_or_else(
            || Error::lost(&self.peer, what),
            |error| error.with_execution(Execution::Unknown),
        ));
    }

    /// Answers input that breaks the protocol and ends the link.
    fn refuse(&self, refusal: Refusal) {
        let error = refused(&self.peer, &refusal).with_execution(Execution::Unknown);
        match refusal {
            Refusal::Frame(reason, text) => self.say_and_close(reason, &text, error, |_| true),
            Refusal::Foreign { .. } => self.close(error),
        }
    }

    /// Reads what the peer still sends and drops it: closing with unread input would reset the connection, and the
    /// peer might never see why.
    async fn swallow(&self, mut input: Input) {
        let mut sink = vec![0; LOW_ROOM];
        let mut left = self.limits.max_frame_bytes as usize;
        let all = async {
            while let Ok(count @ 1..) = input.read(&mut sink).await {
                left = left.saturating_sub(count);
                if left == 0 {
                    return;
                }
            }
        };
        let _ = timeout(LAST_WORDS, all).await;
    }

    /// Waits until the peer has taken enough of our output; `false` if the link closed meanwhile.
    async fn until_drained(&self) -> bool {
        loop {
            {
                let state = self.lock();
                if state.phase == Phase::Closed {
                    return false;
                }
                if !self.is_choked(&state) {
                    return true;
                }
            }
            self.wake_keeper.notify_one();
            self.drained.notified().await;
        }
    }
}

/// Waits for input, for the end of the link, or for the limit.
async fn read_more(
    input: &mut Input,
    (buffer, in_place): (&mut BytesMut, &mut Option<InPlace>),
    ahead: &mut usize,
    limit: Option<Instant>,
    mut closed: Pin<&mut impl Future<Output = ()>>,
) -> Event {
    let mut timer = pin!(limit.map(sleep_until));
    poll_fn(|cx| {
        // Dropping a future between polls loses nothing: it holds no bytes.
        if let Some(piece) = in_place {
            *ahead = READ_AHEAD;
            if let Poll::Ready(outcome) = pin!(input.read_buf(&mut piece.room())).poll(cx) {
                return Poll::Ready(Event::Read(outcome));
            }
        } else {
            make_room(buffer, *ahead);
            let room = buffer.capacity() - buffer.len();
            if let Poll::Ready(outcome) = pin!(input.read_buf(buffer)).poll(cx) {
                let is_full = matches!(outcome, Ok(count) if count == room && room >= READ_AHEAD);
                *ahead = if is_full { READ_FAR_AHEAD } else { READ_AHEAD };
                return Poll::Ready(Event::Read(outcome));
            }
        }
        lay_by(buffer);
        if closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Event::Closed);
        }
        match timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(cx).map(|()| Event::TooSlow),
            None => Poll::Pending,
        }
    })
    .await
}

thread_local! {
    /// Read buffers that nobody has anything in, the latest last: a connection that waits has none, and the one that reads
    /// next gets what the processor's cache still has.
    static BUFFERS: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Buffers that a thread keeps. Its readers take turns, so that one is enough for most reads.
const KEPT_BUFFERS: usize = 2;

/// The beginning of a frame up to this length waits for its rest in a buffer of its own size: many senders that stop in the
/// middle of a frame cost little, and what they cost can be given back to the system.
const BEGINNING: usize = 4 << 10;

/// Sees to it that there is room to read.
fn make_room(buffer: &mut BytesMut, ahead: usize) {
    let low = if ahead > READ_AHEAD {
        READ_AHEAD
    } else {
        LOW_ROOM
    };
    if buffer.capacity() - buffer.len() >= low {
        return;
    }
    if buffer.len() <= BEGINNING
        && let Some(mut kept) = BUFFERS.with_borrow_mut(Vec::pop)
    {
        if !buffer.is_empty() {
            kept.extend_from_slice(buffer);
        }
        *buffer = kept;
    }
    if buffer.capacity() - buffer.len() < low {
        buffer.reserve(ahead);
    }
}

/// Takes the room of a connection that waits for input, but for what a beginning of a frame needs.
fn lay_by(buffer: &mut BytesMut) {
    if buffer.len() > BEGINNING || buffer.capacity() < LOW_ROOM {
        return;
    }
    let beginning = match &buffer[..] {
        [] => BytesMut::new(),
        bytes => BytesMut::from(bytes),
    };
    let mut spare = std::mem::replace(buffer, beginning);
    spare.clear();
    if spare.capacity() < LOW_ROOM || spare.capacity() > READ_FAR_AHEAD * 2 {
        return;
    }
    let is_large = |buffer: &BytesMut| buffer.capacity() > READ_AHEAD * 2;
    BUFFERS.with_borrow_mut(|buffers| {
        let large = buffers.iter().any(is_large);
        if buffers.len() < KEPT_BUFFERS && !(large && is_large(&spare)) {
            buffers.push(spare);
        }
    });
}

/// Whether a frame is an answer that is complete and can be read as it is.
fn is_plain_answer(frame: &Frame) -> bool {
    const NOT_PLAIN: u8 = frame::flag::MORE | frame::flag::LENDS | frame::flag::COMPRESSED;
    match frame.kind {
        Kind::Reply => frame.flags & NOT_PLAIN == 0,
        kind => kind == Kind::Fail,
    }
}

/// What a REPLY or FAIL says.
pub(crate) fn read_answer(frame: Frame, peer: &str) -> Answer {
    if frame.flags & frame::flag::COMPRESSED != 0 {
        let text = "the answer is compressed, which this version does not read";
        return Answer::Failed(
            Error::new(ErrorKind::DataLoss, text)
                .with_execution(Execution::Executed)
                .with_peer(peer),
        );
    }
    match frame.kind {
        Kind::Reply if frame.flags & frame::flag::ERROR == 0 => Answer::Result(frame.body),
        Kind::Reply => Answer::Declared(frame.fail_part(), frame.body),
        _ => {
            let part = frame.fail_part();
            let text = frame::read_message(&frame.body);
            let after = (part.retry_after_ms > 0)
                .then(|| Duration::from_millis(u64::from(part.retry_after_ms)));
            let error = Error::from_status(Status::from_code(part.status), text);
            Answer::Failed(
                error
                    .with_execution(part.execution)
                    .with_retry_after(after)
                    .with_mark(part.retryable)
                    .with_peer(peer),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_frame_waits_in_a_buffer_of_its_size() {
        let mut buffer = BytesMut::new();
        make_room(&mut buffer, READ_AHEAD);
        buffer.extend_from_slice(b"beginning");
        lay_by(&mut buffer);
        assert_eq!(&buffer[..], b"beginning");
        assert!(buffer.capacity() < LOW_ROOM, "{}", buffer.capacity());
        make_room(&mut buffer, READ_AHEAD);
        assert_eq!(&buffer[..], b"beginning");
        assert!(buffer.capacity() - buffer.len() >= LOW_ROOM);
    }
}
