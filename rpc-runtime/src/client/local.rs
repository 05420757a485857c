//! A skeleton of this process as a peer: called directly, or over memory where a call needs a connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::timeout_at;

use crate::client::profile::Profile;
use crate::client::request::Prepared;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Execution, Result};
use crate::limits::Limits;
use crate::link::{self, Link};
use crate::metadata::Metadata;
use crate::server::Skeleton;
use crate::server::catch_panic::CatchPanic;
use crate::server::incoming::Incoming;
use crate::server::router::Router;
use crate::task::{self, Work, boxed};
use crate::transport;
use crate::wire::calls::Answer;

/// What a channel asks of a skeleton of this process; programs that have none have no code for it.
pub(crate) trait Near: Send + Sync {
    /// Its name.
    fn service(&self) -> &'static str;

    /// Runs one of its methods on the caller's task.
    fn call(&self, prepared: Prepared) -> Work<'static, Answer>;

    /// The connection to it; another one if the last has ended, as one does that was idle for long.
    fn link<'a>(&'a self, profile: &'a Profile) -> Work<'a, Result<Arc<Link>>>;
}

/// A skeleton, and the connection to it once something needed one: streams and objects live on connections.
pub(crate) struct Local {
    skeleton: Arc<dyn Skeleton>,
    link: Mutex<Option<Arc<Link>>>,
}

impl Local {
    pub(crate) fn new(skeleton: Arc<dyn Skeleton>) -> Self {
        let link = Mutex::new(None);
        Self { skeleton, link }
    }

    async fn connected(&self, profile: &Profile) -> Result<Arc<Link>> {
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

impl Near for Local {
    fn service(&self) -> &'static str {
        self.skeleton.service().name
    }

    fn call(&self, prepared: Prepared) -> Work<'static, Answer> {
        boxed(call_here(self.skeleton.clone(), prepared))
    }

    fn link<'a>(&'a self, profile: &'a Profile) -> Work<'a, Result<Arc<Link>>> {
        boxed(self.connected(profile))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(link) = self.link.get_mut() {
            link.retire();
        }
    }
}

/// Runs a skeleton's method on the caller's task.
async fn call_here(skeleton: Arc<dyn Skeleton>, prepared: Prepared) -> Answer {
    let method = prepared.method;
    let Some(index) = skeleton.service().find(method.id) else {
        return Answer::Failed(Error::new(
            ErrorKind::Unimplemented,
            format!("{} has no {method}", skeleton.service().name),
        ));
    };
    let metadata = Metadata::decode(prepared.metadata(), &Limits::default()).unwrap_or_default();
    let context = Context::new(method, None, metadata, prepared.deadline, false);
    let (incoming, mut answer) = Incoming::local(prepared.params().into(), context.clone());
    let panicked = || {
        Error::new(
            ErrorKind::Internal,
            format!("the handler of {method} panicked"),
        )
        .with_execution(Execution::Executed)
    };
    let Ok(work) = catch_unwind(AssertUnwindSafe(|| skeleton.call(index, incoming))) else {
        return Answer::Failed(panicked());
    };
    // Nobody else would tell a synchronous handler that the caller has gone.
    let mut gone = CancelOnDrop(Some(context.clone()));
    let handler = context.scope(CatchPanic(work));
    let in_time = match prepared.deadline {
        Some(deadline) => timeout_at(deadline, handler).await.is_ok(),
        None => {
            handler.await;
            true
        }
    };
    if in_time {
        gone.0 = None;
    }
    let unanswered = if in_time {
        panicked()
    } else {
        Error::new(
            ErrorKind::DeadlineExceeded,
            format!("{method} did not finish in time"),
        )
    };
    answer
        .try_recv()
        .unwrap_or_else(|_| Answer::Failed(unanswered.with_execution(Execution::Executed)))
}

/// Tells the handler of a local call that its caller has given up.
struct CancelOnDrop(Option<Context>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.set_cancelled();
        }
    }
}
