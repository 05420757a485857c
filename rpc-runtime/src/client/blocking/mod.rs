//! The synchronous client: writes and reads the socket on the caller's own thread, without an async runtime.

mod builder;
mod connection;
mod items;
mod known;
mod outcome;
mod streams;

pub use items::{BlockingExchange, BlockingItems};

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

pub use self::builder::BlockingChannelBuilder;
use self::builder::Own;
use self::connection::Connection;
use self::known::Known;
use crate::breaker::{Breaker, BreakerPolicy, BreakerState};
use crate::client::options::CallOptions;
use crate::client::request::{Prepared, Request};
use crate::client::retry::{Retry, Stage, Tried, first_over};
use crate::client::returns::Returns;
use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::discovery;
use crate::error::{CallError, Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::reflection;
use crate::transport::{Address, Target};
use crate::wire::calls::Answer;

/// Where blocking calls go. Cloning is cheap and shares the connection; threads may call at once.
///
/// Whoever waits for an answer reads the socket for all who wait. Needs no async runtime, and must not be used on a
/// thread that drives one: it would hold it up.
#[derive(Clone)]
pub struct BlockingChannel {
    shared: Arc<Shared>,
    options: CallOptions,
}

struct Shared {
    route: Route,
    limits: Limits,
    retry: Retry,
    breaker: BreakerPolicy,
    own: Own,
    connections: Mutex<Known>,
    next: AtomicUsize,
    /// The service that is called, where the channel was made for one.
    service: Option<&'static ServiceDescriptor>,
}

/// How addresses are found.
enum Route {
    Fixed(Vec<Address>),
    #[cfg(feature = "registry")]
    Lookup(discovery::BlockingLookup),
}

impl BlockingChannel {
    /// Connects to an address that names one peer, a list, or a registry with the service in the address.
    ///
    /// # Errors
    ///
    /// The address cannot be read, or nobody answers there.
    pub fn connect(address: impl AsRef<str>) -> Result<Self> {
        Self::builder().connect(address)
    }

    /// Says more than the defaults before connecting: limits, TLS, credentials.
    pub fn builder() -> BlockingChannelBuilder {
        BlockingChannelBuilder::new()
    }

    /// Connects to where a service is: what generated clients call.
    ///
    /// # Errors
    ///
    /// As [`BlockingChannel::connect`].
    pub fn connect_to(address: &str, service: &'static ServiceDescriptor) -> Result<Self> {
        Self::open(address, Some(service), BlockingChannelBuilder::new())
    }

    fn open(
        address: &str,
        service: Option<&'static ServiceDescriptor>,
        builder: BlockingChannelBuilder,
    ) -> Result<Self> {
        let (target, options) = Target::parse(address)?;
        if options.msgpack_rpc {
            return Err(Error::invalid(format!(
                "`{address}`: the blocking client does not speak MessagePack-RPC; use the asynchronous client of the same service"
            )));
        }
        let route = match target {
            Target::Direct(address) => Route::Fixed(vec![address]),
            Target::List(addresses) => Route::Fixed(addresses),
            #[cfg(not(feature = "registry"))]
            Target::File(..) | Target::Registry(..) => return Err(discovery::no_registries()),
            #[cfg(feature = "registry")]
            target => Route::Lookup(discovery::BlockingLookup::new(
                target,
                service.map(|service| service.name),
            )?),
        };
        let next = AtomicUsize::new(crate::backoff::random() as usize);
        let shared = Shared {
            route,
            limits: builder.limits,
            retry: Retry::new(builder.retry),
            breaker: builder.breaker,
            own: builder.own,
            connections: Mutex::default(),
            next,
            service,
        };
        let channel = Self {
            shared: Arc::new(shared),
            options: CallOptions::new(),
        };
        channel.connection(&[], None)?;
        Ok(channel)
    }

    /// A channel over the same connections whose calls have these options.
    #[must_use]
    pub fn with_options(&self, options: CallOptions) -> Self {
        Self {
            shared: self.shared.clone(),
            options,
        }
    }

    /// What the circuit breakers of this channel do now, by address, as [`Channel::breakers`](crate::Channel::breakers) says
    /// it; of the addresses that were called.
    pub fn breakers(&self) -> Vec<(String, BreakerState)> {
        self.connections().breakers()
    }

    /// Makes a call and waits for its answer. Generated clients call this.
    ///
    /// # Errors
    ///
    /// What the call failed with.
    #[doc(hidden)]
    pub fn call<T, E>(
        &self,
        method: &'static MethodDescriptor,
        returns: Returns<T, E>,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Result<T, CallError<E>> {
        let prepared = self.prepare(method, params)?;
        returns.decode(self.attempts(prepared), method)
    }

    /// Sends a one-way call. Generated clients call this.
    ///
    /// # Errors
    ///
    /// Why it could not be handed to a connection.
    #[doc(hidden)]
    pub fn one_way(
        &self,
        method: &'static MethodDescriptor,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        let mut prepared = self.prepare(method, params)?.one_way();
        let mut tried = Tried::default();
        loop {
            let connection = self.reach(&mut prepared, &mut tried)?;
            let Err(error) = connection.send_one_way(&prepared) else {
                return Ok(());
            };
            tried.pass_over(connection.peer());
            let pause = tried.after(&mut prepared, &self.shared.retry, Stage::Calling, error)?;
            thread::sleep(pause);
        }
    }

    fn prepare(
        &self,
        method: &'static MethodDescriptor,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Prepared> {
        let mut params = Some(params);
        let request = Request::new(method, self.options.clone(), &mut |out| {
            if let Some(params) = params.take() {
                params(out);
            }
        });
        request.prepare(&self.shared.limits)
    }

    /// Repeats what may be repeated, on another instance where there is one.
    fn attempts(&self, mut prepared: Prepared) -> Answer {
        let mut tried = Tried::default();
        loop {
            let connection = match self.reach(&mut prepared, &mut tried) {
                Ok(connection) => connection,
                Err(error) => return Answer::Failed(error),
            };
            let pause = match connection.call(&prepared) {
                Answer::Failed(error) if error.kind() == ErrorKind::Unimplemented => {
                    return tried.end(Answer::Failed(reflection::explain_blocking(
                        self,
                        connection.hello(),
                        &prepared,
                        self.shared.service,
                        error,
                    )));
                }
                Answer::Failed(error) => {
                    tried.pass_over(connection.peer());
                    match tried.after(&mut prepared, &self.shared.retry, Stage::Calling, error) {
                        Ok(pause) => pause,
                        Err(error) => return Answer::Failed(error),
                    }
                }
                Answer::Declared(part, body) => {
                    match tried.after_declared(&mut prepared, &self.shared.retry, &part) {
                        Some(pause) => pause,
                        None => return Answer::Declared(part, body),
                    }
                }
                result @ (Answer::Result(_) | Answer::Lent(_)) => {
                    self.shared.retry.succeeded(prepared.method.service);
                    return result;
                }
            };
            thread::sleep(pause);
        }
    }

    /// An open connection to an address that was not tried, or to any when all were; waits for one as long as the call
    /// may take.
    fn reach(&self, prepared: &mut Prepared, tried: &mut Tried) -> Result<Arc<Connection>> {
        loop {
            let error = match self.connection(&tried.peers, prepared.deadline) {
                Ok((connection, known)) => {
                    tried.instances = known;
                    return Ok(connection);
                }
                Err(error) => error,
            };
            if error.kind() == ErrorKind::DeadlineExceeded {
                return Err(tried.too_late());
            }
            let pause = tried.after(prepared, &self.shared.retry, Stage::Connecting, error)?;
            thread::sleep(pause);
        }
    }

    /// An open connection, and how many addresses are known.
    fn connection(
        &self,
        tried: &[Arc<str>],
        deadline: Option<Instant>,
    ) -> Result<(Arc<Connection>, usize)> {
        let addresses = match &self.shared.route {
            Route::Fixed(addresses) => addresses.clone(),
            #[cfg(feature = "registry")]
            Route::Lookup(lookup) => lookup.addresses()?,
        };
        let start = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let rotated = (0..addresses.len())
            .map(|offset| &addresses[start.wrapping_add(offset) % addresses.len()]);
        let (fresh, again): (Vec<_>, Vec<_>) =
            rotated.partition(|address| !tried.iter().any(|peer| **peer == *address.to_string()));
        let mut last = None;
        for address in fresh.into_iter().chain(again) {
            let handshake = self.shared.limits.handshake_timeout;
            let limit = deadline.map_or(handshake, |deadline| {
                handshake.min(deadline.saturating_duration_since(Instant::now()))
            });
            if limit.is_zero() {
                return Err(Error::too_late());
            }
            let breaker = {
                let policy = &self.shared.breaker;
                self.connections().breaker(address, policy, &addresses)
            };
            match self.connected(address, breaker, limit) {
                Ok(connection) => return Ok((connection, addresses.len())),
                Err(_) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    return Err(Error::too_late());
                }
                Err(error) => last = Some(first_over(last, error)),
            }
        }
        Err(last.unwrap_or_else(|| Error::unavailable("no address is known")))
    }

    fn connected(
        &self,
        address: &Address,
        breaker: Option<Arc<Breaker>>,
        limit: Duration,
    ) -> Result<Arc<Connection>> {
        if let Some(breaker) = &breaker {
            breaker.check()?;
        }
        let found = self.connections().connection(address);
        if let Some(connection) = found
            && connection.is_alive()
        {
            return Ok(connection);
        }
        {
            let mut known = self.connections();
            // Looking at it may have ended it, or another thread may have opened one.
            if let Some(connection) = known.connection(address) {
                return Ok(connection);
            }
            known.check_wait(address)?;
        }
        let Shared { limits, own, .. } = &*self.shared;
        match Connection::open(address, limits, own, limit) {
            Ok(opened) => {
                let opened = opened.judged_by(breaker);
                Ok(self.connections().opened(address, opened))
            }
            Err(error) => {
                self.connections().failed(address, error.clone());
                Err(error)
            }
        }
    }

    fn connections(&self) -> MutexGuard<'_, Known> {
        self.shared
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for BlockingChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shared.route {
            Route::Fixed(addresses) => f.debug_tuple("BlockingChannel").field(addresses).finish(),
            #[cfg(feature = "registry")]
            Route::Lookup(lookup) => f.debug_tuple("BlockingChannel").field(lookup).finish(),
        }
    }
}
