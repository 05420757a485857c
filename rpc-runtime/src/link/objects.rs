//! Objects by reference on a link: found when they are called, given back when the other side lets go.

use std::sync::Arc;

use super::{Link, Phase};
use crate::server::Skeleton;
use crate::wire::budgets::Charge;
use crate::wire::frame::{self, Frame};

impl Link {
    /// The object that was lent to the peer under this ID.
    pub(crate) fn lent(&self, id: u64) -> Option<Arc<dyn Skeleton>> {
        self.lock().objects.get(id).cloned()
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
        if released.is_none() {
            self.charge(&mut state, Charge::Control(1));
        }
        drop(state);
        // Its destructor is the user's, so it runs outside of the lock, and a panic of it ends here.
        super::serve::drop_quietly(released);
    }

    /// Number of objects that are lent to the peer.
    #[cfg(test)]
    pub(crate) fn objects(&self) -> usize {
        self.lock().objects.len()
    }
}
