//! Objects by reference on a link: found when they are called, given back when the other side lets go.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Link, Phase};
use crate::object::{self, Home};
use crate::server::Skeleton;
use crate::wire::budgets::Charge;
use crate::wire::frame::Frame;

impl Link {
    /// The object that was lent to the peer under this ID.
    pub(crate) fn lent(&self, id: u64) -> Option<Arc<dyn Skeleton>> {
        self.lock().objects.get(id).cloned()
    }

    /// Our own objects among the parameters of a call: the peer may let go of them in the next frame, before they are
    /// decoded.
    pub(super) fn homes(&self, params: &[u8]) -> Vec<Home> {
        let state = self.lock();
        if state.objects.len() == 0 {
            return Vec::new();
        }
        let ids = object::returned(params);
        ids.filter_map(|id| Some(Home(id, state.objects.get(id)?.clone())))
            .collect()
    }

    /// Counts an object of the peer that somebody here holds, until [`Link::release`].
    pub(crate) fn borrowed(&self) {
        self.lock().borrowed += 1;
    }

    /// Counts one less: a result that may hold an object was read, or dropped.
    pub(crate) fn let_go(&self) {
        let mut state = self.lock();
        state.borrowed -= 1;
        if state.is_over() {
            // It may have been the last one; the keeper looks.
            self.wake_keeper.notify_one();
        }
    }

    /// Gives an object of the peer back that was counted.
    pub(crate) fn release(&self, id: u64) {
        self.lock().borrowed -= 1;
        self.give_back(id);
    }

    /// Gives an object of the peer back.
    pub(crate) fn give_back(&self, id: u64) {
        let mut state = self.lock();
        state.last_call = Instant::now();
        if state.phase == Phase::Closed {
            return;
        }
        state.out.release(id);
        drop(state);
        self.wake_keeper.notify_one();
    }

    pub(super) fn on_release(&self, frame: &Frame) {
        let mut state = self.lock();
        state.last_call = state.last_heard;
        let released = state.objects.remove(frame.released());
        if released.is_none() {
            self.charge(&mut state, Charge::Control(1));
        }
        let last = state.objects.len() == 0;
        drop(state);
        if last {
            self.tell_idle();
        }
        drop_objects(released);
    }

    /// Number of objects that are lent to the peer.
    #[cfg(test)]
    pub(crate) fn objects(&self) -> usize {
        self.lock().objects.len()
    }
}

/// Drops objects that came back. Their destructors are the user's, so this happens outside of the lock, and a panic of
/// one of them ends here.
pub(super) fn drop_objects(objects: impl IntoIterator<Item = Arc<dyn Skeleton>>) {
    objects.into_iter().for_each(super::handlers::drop_quietly);
}
