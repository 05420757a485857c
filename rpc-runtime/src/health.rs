//! Built-in health: whether a running server, or one of its services, takes calls.
//!
//! Every server answers it. Load balancers and supervisors ask with [`HealthClient`]; what is answered is set by
//! [`Serving::set_serving`](crate::Serving::set_serving), and by a server that stops.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::watch;

pub use crate::generated::health::v1::{Health, HealthBlockingClient, HealthClient, Status};

use crate::descriptor::ServiceDescriptor;
use crate::error::{Error, ErrorKind, Result};
use crate::generated::health::v1::HealthService;
use crate::reflection::closest;
use crate::server::Skeleton;

/// The name that stands for the server itself.
const WHOLE: &str = "";

/// What is known of one server. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    sender: Arc<watch::Sender<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// A few, so that looking through them is as fast as a table.
    services: Vec<(&'static str, bool)>,
    stopping: bool,
}

impl Board {
    /// Everything that is mounted takes calls.
    pub(crate) fn new(mounted: &[&'static ServiceDescriptor]) -> Self {
        let names = mounted.iter().map(|service| service.name);
        let names = names.chain([HealthClient::SERVICE.name, WHOLE]);
        let state = State {
            services: names.map(|name| (name, true)).collect(),
            stopping: false,
        };
        Self {
            sender: Arc::new(watch::Sender::new(state)),
        }
    }

    /// The service that a server adds to those that were mounted.
    pub(crate) fn skeleton(&self) -> impl Skeleton + use<> {
        HealthService::new(self.clone())
    }

    /// Sets the state of a service.
    ///
    /// # Errors
    ///
    /// It is not mounted.
    pub(crate) fn set(&self, service: &str, serves: bool) -> Result<()> {
        let mut outcome = Ok(());
        self.sender.send_if_modified(|state| {
            let mut known = state.services.iter_mut();
            let Some((_, known)) = known.find(|(name, _)| *name == service) else {
                outcome = Err(not_mounted(service, state));
                return false;
            };
            std::mem::replace(known, serves) != serves
        });
        outcome
    }

    /// Nothing takes calls from now on, whatever is set; whoever watches is told, and then let go.
    pub(crate) fn stop(&self) {
        self.sender
            .send_if_modified(|state| !std::mem::replace(&mut state.stopping, true));
    }
}

fn not_mounted(service: &str, state: &State) -> Error {
    let names = state.services.iter().map(|(name, _)| *name);
    let hint = match closest(names, service) {
        Some(closest) if !closest.is_empty() => format!("; did you mean `{closest}`?"),
        _ => String::new(),
    };
    let text = format!(
        "no service `{}` is mounted here{hint}",
        service.escape_debug()
    );
    Error::new(ErrorKind::InvalidArgument, text)
}

impl State {
    fn of(&self, service: &str) -> Status {
        match self.services.iter().find(|(name, _)| *name == service) {
            None => Status::Unknown,
            Some((_, true)) if !self.stopping => Status::Serving,
            Some(_) => Status::NotServing,
        }
    }
}

impl Health for Board {
    async fn check(&self, service: String) -> Status {
        self.sender.borrow().of(&service)
    }

    async fn watch(&self, service: String) -> impl Stream<Item = Status> + Send {
        Watching {
            service,
            told: None,
            is_last: false,
            receiver: Waiting::Here(self.sender.subscribe()),
        }
    }
}

/// One who watches: gets the state, and each one that differs from the one before.
struct Watching {
    service: String,
    told: Option<Status>,
    is_last: bool,
    receiver: Waiting,
}

/// The receiver, here or with the future that waits for a change.
enum Waiting {
    Here(watch::Receiver<State>),
    Away(Pin<Box<dyn Future<Output = Option<watch::Receiver<State>>> + Send>>),
}

impl Stream for Watching {
    type Item = Status;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Status>> {
        loop {
            if self.is_last {
                return Poll::Ready(None);
            }
            let this = &mut *self;
            match &mut this.receiver {
                Waiting::Away(change) => match ready!(change.as_mut().poll(cx)) {
                    Some(receiver) => this.receiver = Waiting::Here(receiver),
                    None => this.is_last = true,
                },
                Waiting::Here(receiver) => {
                    let state = receiver.borrow_and_update();
                    let (status, stopping) = (state.of(&this.service), state.stopping);
                    drop(state);
                    this.is_last = stopping;
                    if this.told != Some(status) {
                        this.told = Some(status);
                        return Poll::Ready(Some(status));
                    }
                    let mut receiver = receiver.clone();
                    this.receiver = Waiting::Away(Box::pin(async move {
                        receiver.changed().await.ok().map(|()| receiver)
                    }));
                }
            }
        }
    }
}
