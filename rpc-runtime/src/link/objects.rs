//! Objects by reference on a link: found when they are called, given back when the other side lets go.

use std::sync::Arc;

use super::{Link, Phase};
use crate::server::Skeleton;
use crate::wire::frame::{self, Frame};

impl Link {
    /// The object that was lent to the peer under this ID.
    pub(crate) fn lent(&self, id: u64) -> Option<Arc<dyn Skeleton>> {
        self.lock().objects.get(id).cloned()
    }

    /// An object of the peer is held here, so a retired link stays. Each is told to [`Link::let_go`] once.
    pub(crate) fn borrow(&self) {
        self.lock().borrowed += 1;
    }

    /// The opposite.
    pub(crate) fn let_go(&self) {
        let mut state = self.lock();
        state.borrowed = state.borrowed.saturating_sub(1);
        if state.is_over() {
            // It may have been the last one; the keeper looks.
            self.wake_keeper.notify_one();
        }
    }

    /// Gives an object of the peer back.
    pub(crate) fn release(&self, id: u64) {
        let mut state = self.lock();
        if state.phase == Phase::Closed {
            return;
        }
        frame::write_release(state.out.buffer(), id, 1);
        drop(state);
        self.wake_keeper.notify_one();
    }

    pub(super) fn on_release(&self, frame: &Frame) {
        let mut state = self.lock();
        let released = state.objects.remove(frame.released());
        let last = state.objects.len() == 0;
        drop(state);
        if last {
            self.idle.notify_waiters();
        }
        // Its destructor is the user's, so it runs outside of the lock, and a panic of it ends here.
        super::serve::drop_quietly(released);
    }

    /// Number of objects that are lent to the peer.
    #[cfg(test)]
    #[allow(dead_code, reason = "for tests that look inside")]
    pub(crate) fn objects(&self) -> usize {
        self.lock().objects.len()
    }
}
