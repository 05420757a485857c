//! Items and cut bodies on a link: what comes is kept within bounds, what goes waits for credit.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::{Link, Phase, State};
use crate::error::{Error, ErrorKind, Execution};
use crate::status::Status;
use crate::wire::budgets::{Charge, SMALL_PIECE};
use crate::wire::calls::Answer;
use crate::wire::frame::{self, Frame, GoAwayReason, Kind, flag};
use crate::wire::inbound::Refusal;
use crate::wire::pieces::{Added, Piece};
use crate::wire::run::{Run, Unread};
use crate::wire::sending::{Sending, Sent, sender};
use crate::wire::streams::{Batch, Grant, Key, Next, NoCredit, Side};

/// What a caller reads of a stream.
#[derive(Debug)]
pub(crate) enum Event {
    Item(Bytes),
    /// The terminal frame, or the end of the connection.
    Over(Answer),
}

/// The request that an ITEM, DATA or CREDIT of the peer is about.
pub(super) fn request(frame: &Frame) -> Key {
    requested(frame.flags, frame.request_id)
}

fn requested(flags: u8, request_id: u32) -> Key {
    let side = if flags & flag::CALLEE != 0 {
        Side::Ours
    } else {
        Side::Theirs
    };
    (side, request_id)
}

/// What a DATA is that is not a piece of the body which is open.
pub(crate) const MIXED: &str =
    "a DATA whose flag OF_ITEM is not that of the body that it goes on with";

fn no_credit(_: NoCredit) -> Refusal {
    let text = "more was sent on a stream than there was credit for".to_owned();
    Refusal::Frame(GoAwayReason::Protocol, text)
}

// What comes.
impl Link {
    /// Items of one stream that came together. Not taken, `false`, if they need more than a stream that is read, and room.
    pub(super) fn on_run(&self, run: Run<'_>) -> Result<bool, Refusal> {
        let key = requested(run.flags, run.request_id);
        let packed = run.flags & flag::COMPRESSED != 0;
        // Copied before others have to wait for it.
        let run = Unread::from(run);
        let mut state = self.lock();
        let plain = state.streams.receives(key) && !state.pieces.contains(key);
        if !plain || state.check_memory(run.cost(), u64::MAX).is_err() {
            // One by one it is known which is too much.
            return Ok(false);
        }
        let kept = state.streams.keep_run(key, packed, run);
        let waker = kept.map_err(no_credit)?;
        state.settle();
        self.grant(&mut state, key);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(true)
    }

    pub(super) fn on_item(&self, frame: Frame) -> Result<(), Refusal> {
        let key = request(&frame);
        let mut state = self.lock();
        let belongs = state.streams.came(key, frame.cost()).map_err(no_credit)?;
        self.charge_stray(&mut state, belongs, frame.body.len());
        if state.pieces.contains(key) {
            let text = "an ITEM in the middle of another body of the same request".to_owned();
            return Err(Refusal::Frame(GoAwayReason::Protocol, text));
        }
        let mut waker = None;
        if !state.streams.receives(key) {
            // The request is over, or its reader is gone.
        } else if frame.flags & flag::MORE != 0 {
            let now = state.last_heard;
            state.pieces.begin(key, frame, true, now);
        } else {
            let room = state.check_memory(frame.body.len() as u64, u64::MAX);
            if let Err(text) = room {
                drop(state);
                self.give_up(key, Some(frame), &text);
                return Ok(());
            }
            waker = state.streams.keep(key, frame);
            state.settle();
        }
        self.grant(&mut state, key);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Charges for a frame that carries next to nothing, for nobody.
    fn charge_stray(&self, state: &mut State, belongs: bool, length: usize) {
        if !belongs && length < SMALL_PIECE {
            self.charge(state, Charge::Control(1));
        }
    }

    pub(super) fn on_data(self: &Arc<Self>, piece: Piece) -> Result<(), Refusal> {
        let (frame, length) = (piece.frame(), piece.len());
        let (key, more) = (request(frame), frame.flags & flag::MORE != 0);
        let mut state = self.lock();
        let of_item = frame.flags & flag::OF_ITEM != 0;
        let belongs = if of_item {
            state.streams.came(key, piece.cost()).map_err(no_credit)?
        } else {
            state.pieces.contains(key)
        };
        // The last piece of what was refused may be small; that is one for each call.
        self.charge_stray(&mut state, belongs, length);
        if state
            .pieces
            .is_item(key)
            .is_some_and(|is_item| is_item != of_item)
        {
            return Err(Refusal::Frame(GoAwayReason::Protocol, MIXED.to_owned()));
        }
        if belongs && length < SMALL_PIECE && more {
            self.charge(&mut state, Charge::Control(1));
        }
        if state.pieces.keeps(key)
            && let Err(text) = state.check_memory(length as u64, self.limits.connection_memory)
        {
            let front = state.pieces.drop_body(key);
            state.settle();
            drop(state);
            self.give_up(key, front, &text);
            return Ok(());
        }
        let (now, limit) = (state.last_heard, u64::from(self.limits.max_message_bytes));
        let added = state.pieces.add(key, piece, limit, now);
        state.settle();
        match added {
            Added::Unknown | Added::More => {
                self.grant(&mut state, key);
                Ok(())
            }
            Added::Whole(whole, arrived) => match whole.kind {
                Kind::Item => {
                    let waker = state.streams.keep(key, whole);
                    self.grant(&mut state, key);
                    drop(state);
                    waker.into_iter().for_each(Waker::wake);
                    Ok(())
                }
                Kind::Call => {
                    state.admitting = true;
                    drop(state);
                    self.on_whole_call(whole, arrived);
                    Ok(())
                }
                _ => {
                    drop(state);
                    self.on_answer(whole);
                    Ok(())
                }
            },
            Added::TooLarge(front) => {
                drop(state);
                self.give_up(
                    key,
                    Some(front),
                    &format!("a body of more than {limit} bytes; send less at once, or raise `Limits::max_message_bytes` of the reader"),
                );
                Ok(())
            }
        }
    }

    /// A body is not put together: its call fails, or its stream breaks.
    pub(super) fn give_up(&self, key: Key, front: Option<Frame>, text: &str) {
        let Some(front) = front else { return };
        let error =
            Error::new(ErrorKind::ResourceExhausted, text.to_owned()).with_peer(&*self.peer);
        let mut state = self.lock();
        self.grant(&mut state, key);
        let wakers = match front.kind {
            Kind::Call => {
                drop(state);
                let one_way = front.flags & flag::ONE_WAY != 0;
                return self.refuse_call(key.1, one_way, Status::ResourceExhausted, text);
            }
            Kind::Reply => {
                let error = error.with_execution(Execution::Executed);
                let answered = state.calls.answered(key.1, Answer::Failed(error));
                self.made_room(&state);
                answered
            }
            _ => {
                let error = error.with_execution(Execution::Unknown);
                // The call is over with it: else an answer that says all is well would hide that something is missing.
                let answered = match key.0 {
                    Side::Ours => {
                        frame::write_cancel(state.out.buffer(), key.1);
                        state.calls.give_up(key.1, error.clone()).flatten()
                    }
                    Side::Theirs => {
                        let flags = sender(key) | flag::STOP;
                        frame::write_credit(state.out.buffer(), flags, key.1, 0);
                        None
                    }
                };
                let broke = state.streams.broke(key, error);
                self.wake_keeper.notify_one();
                drop(state);
                return broke.into_iter().chain(answered).for_each(Waker::wake);
            }
        };
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn on_end(&self, id: u32) -> Result<(), Refusal> {
        let key = (Side::Theirs, id);
        let mut state = self.lock();
        if state.pieces.contains(key) {
            let text = "an END in the middle of a body".to_owned();
            return Err(Refusal::Frame(GoAwayReason::Protocol, text));
        }
        self.charge(&mut state, Charge::Control(1));
        let waker = state.streams.ended(key);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    pub(super) fn on_credit(&self, frame: &Frame) {
        let bytes = frame.credit();
        let key = request(frame);
        let mut state = self.lock();
        self.charge(&mut state, Charge::Control(1));
        let wakers: Vec<_> = if frame.request_id == 0 {
            state.streams.credit_all(bytes)
        } else if frame.flags & flag::STOP != 0 {
            state.streams.stopped(key).into_iter().collect()
        } else {
            state.streams.credit(key, bytes).into_iter().collect()
        };
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Sends the credit that is due. The reader flushes after each read, readers of streams wake the keeper.
    pub(super) fn grant(&self, state: &mut State, key: Key) -> bool {
        let (now, call) = (state.last_heard, state.last_plain_call);
        let beside_calls = now.saturating_duration_since(call) < BESIDE;
        let (connection, stream) = state.streams.grants(key, beside_calls);
        let due = connection.is_some() || stream.is_some();
        if state.phase == Phase::Closed {
            return false;
        }
        write_grant(state, connection, (key.0, 0));
        write_grant(state, stream, key);
        due
    }
}

/// A stream leaves room for calls on its connection when there was one in this time.
const BESIDE: Duration = Duration::from_millis(10);

fn write_grant(state: &mut State, grant: Grant, key: Key) {
    state.out.grant(grant, key);
}

// Reading a stream.
impl Link {
    /// The next item of a stream from a caller.
    pub(crate) fn poll_next(
        &self,
        key: Key,
        batch: &mut Batch,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        if let Some(item) = batch.next() {
            return Poll::Ready(Next::Item(item));
        }
        let owed = batch.owes();
        let mut state = self.lock();
        let next = state.streams.next_batch(key, cx.waker(), batch);
        let came = matches!(next, Next::Item(_) | Next::Packed(_));
        if came {
            state.budgets.worked(1 + batch.len());
        }
        if came || owed {
            state.settle();
            if self.grant(&mut state, key) {
                self.wake_keeper.notify_one();
            }
        }
        if matches!(next, Next::Wait) {
            return Poll::Pending;
        }
        drop(state);
        Poll::Ready(self.unpacked_item(next))
    }

    /// What came, as it was before it was compressed.
    pub(super) fn unpacked_item(&self, next: Next) -> Next {
        let Next::Packed(body) = next else {
            return next;
        };
        match self.unpacked(&body) {
            Ok(body) => Next::Item(body),
            Err(error) => Next::Broken(error.with_execution(Execution::Unknown)),
        }
    }

    /// The reader of a stream from a caller is gone: the caller need not send the rest.
    pub(crate) fn stop_reading(&self, key: Key) {
        let mut state = self.lock();
        if state.phase == Phase::Closed || !state.streams.receives(key) {
            return;
        }
        let open = state.streams.is_open(key);
        state.pieces.drop_body(key);
        let connection = state.streams.stop_reading(key);
        state.settle();
        write_grant(&mut state, connection, (key.0, 0));
        if open {
            frame::write_credit(state.out.buffer(), sender(key) | flag::STOP, key.1, 0);
        }
        drop(state);
        self.wake_keeper.notify_one();
    }

    /// Forgets the streams of a request that is over; gives back who waits to send or to read on it.
    pub(super) fn close_streams(&self, state: &mut State, key: Key) -> Vec<Waker> {
        let (connection, wakers) = state.streams.close(key);
        state.settle();
        if connection.is_some() && state.phase != Phase::Closed {
            write_grant(state, connection, (key.0, 0));
            self.wake_keeper.notify_one();
        }
        wakers
    }
}

// Sending a stream.
impl Link {
    /// Sends an item; `false`: nobody reads it any more. Dropping the future may leave an item that is never complete,
    /// so it is dropped only with the whole request.
    pub(crate) async fn send_item(&self, sending: &mut Sending) -> bool {
        if let Some(packed) = self.packed(sending.body()) {
            sending.replace_by_packed(packed);
        }
        loop {
            if self.is_crowded() {
                self.until_writable().await;
            }
            match poll_fn(|cx| self.poll_send(sending, cx)).await {
                Sent::All => return true,
                Sent::Stopped => return false,
                Sent::NoRoom | Sent::Wait => {}
            }
        }
    }

    /// Whether the peer reads no more of what a call of ours sends; pending while it does.
    pub(crate) fn poll_stopped(&self, id: u32, cx: &mut Context<'_>) -> Poll<()> {
        let key = (Side::Ours, id);
        let mut state = self.lock();
        if state.streams.is_stopped(key) {
            return Poll::Ready(());
        }
        state.streams.wait(key, cx.waker());
        Poll::Pending
    }

    /// Waits until a CALL of ours is out to its last piece: its items come behind it. Dropping the future does nothing.
    pub(crate) async fn until_call_is_out(&self, id: u32) {
        let key = (Side::Ours, id);
        poll_fn(|cx| {
            let mut state = self.lock();
            if !state.out.has_body(key) || state.streams.is_stopped(key) {
                return Poll::Ready(());
            }
            state.streams.wait(key, cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Sends as much of an item as there is credit for; pending while there is none.
    fn poll_send(&self, sending: &mut Sending, cx: &mut Context<'_>) -> Poll<Sent> {
        let mut state = self.lock();
        let State {
            streams,
            out,
            budgets,
            ..
        } = &mut *state;
        let queue = self.limits.outbound_queue_bytes as u64;
        let before = out.end();
        let sent = sending.advance(streams, out, queue, Some(cx.waker()));
        budgets.sent(out.end() - before);
        match sent {
            Sent::Wait | Sent::NoRoom => {
                self.note_full(&state);
                self.wake_keeper.notify_one();
            }
            Sent::All | Sent::Stopped => {}
        }
        if sent == Sent::Wait {
            return Poll::Pending;
        }
        Poll::Ready(sent)
    }

    /// Ends our direction of a call of ours.
    pub(crate) fn send_end(&self, id: u32) {
        let mut state = self.lock();
        if state.phase == Phase::Closed || state.streams.is_stopped((Side::Ours, id)) {
            return;
        }
        frame::write_end(state.out.buffer(), id);
        drop(state);
        self.wake_keeper.notify_one();
    }

    /// Ends a call of ours that cannot go on here: its caller gets `error`, the peer a CANCEL.
    pub(crate) fn give_up_call(&self, id: u32, error: Error) {
        let mut state = self.lock();
        let waker = state.calls.give_up(id, error);
        if waker.is_some() && state.phase != Phase::Closed {
            frame::write_cancel(state.out.buffer(), id);
            self.wake_keeper.notify_one();
        }
        drop(state);
        waker.flatten().into_iter().for_each(Waker::wake);
    }

    /// Whether so much of our output is unread that who wants to add to it waits.
    #[inline]
    pub(crate) fn is_crowded(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Waits until the peer has taken enough of our output for more. Dropping the future does nothing.
    pub(crate) async fn until_writable(&self) {
        if !self.is_crowded() {
            return;
        }
        loop {
            let writable = self.writable.notified();
            if !self.is_crowded() {
                break;
            }
            writable.await;
        }
        // There may be room for the next one too; it looks for itself.
        self.writable.notify_one();
    }

    /// Notes that answers and items must wait, if so much is unread.
    pub(super) fn note_full(&self, state: &State) {
        if self.is_full(state) && state.phase != Phase::Closed {
            self.full.store(true, Ordering::Release);
        }
    }

    /// Whether so much is unread that answers and items wait. The rest of large bodies counts by itself: what is small
    /// goes between its pieces.
    pub(super) fn is_full(&self, state: &State) -> bool {
        state.out.queued() > self.limits.outbound_queue_bytes as u64
            || state.out.uncut() > self.limits.connection_memory
    }
}
