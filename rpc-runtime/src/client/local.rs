//! A skeleton of this process as a peer: called directly, or over memory where a call needs a connection.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::client::profile::Profile;
use crate::error::Result;
use crate::link::{self, Link};
use crate::server::Skeleton;
use crate::server::router::Router;
use crate::task;
use crate::transport;

/// A skeleton, and the connection to it once something needed one: streams and objects live on connections.
pub(crate) struct Local {
    pub(crate) skeleton: Arc<dyn Skeleton>,
    link: Mutex<Option<Arc<Link>>>,
}

impl Local {
    pub(crate) fn new(skeleton: Arc<dyn Skeleton>) -> Self {
        let link = Mutex::new(None);
        Self { skeleton, link }
    }

    /// The connection to the skeleton; another one if the last has ended, as one does that was idle for long.
    pub(crate) async fn link(&self, profile: &Profile) -> Result<Arc<Link>> {
        let mut known = self.link.lock().await;
        if let Some(link) = known.as_ref().filter(|link| link.is_open()) {
            return Ok(link.clone());
        }
        let (here, there) = transport::pair("local");
        let mut router = Router::default();
        router.add(self.skeleton.clone())?;
        let terms = profile.terms.clone();
        // The serving end closes when the calling end does, or when this one gives up.
        let accepting = link::accept(there, terms.clone(), Arc::new(router));
        task::spawn(async move { drop(accepting.await) });
        let link = link::connect(here, terms, profile.exports.clone(), None).await?;
        *known = Some(link.clone());
        Ok(link)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(link) = self.link.get_mut() {
            link.retire();
        }
    }
}
