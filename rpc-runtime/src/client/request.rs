//! A call before it is sent: which method, which bytes, until when.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::client::options::{CallOptions, Timeout};
use crate::client::retry::{Retry, RetryPolicy};
use crate::client::upload::Upload;
use crate::codec::apart;
use crate::context::Context;
use crate::descriptor::{MethodDescriptor, MethodKind};
use crate::error::{Error, Result};
use crate::limits::{DEFAULT_TIMEOUT, Limits};
use crate::link::Link;
use crate::object::{self, Lent};
use crate::security::AUTHORIZATION;
use crate::status::Status;
use crate::wire::body::Body;
use crate::wire::frame::{CallFrame, CallPart, flag};

/// Room that is made for the parameters of a call.
const PARAMS: usize = 64;

/// Metadata keys that calls made inside of a handler inherit: W3C trace context.
const INHERITED: [&str; 2] = ["traceparent", "tracestate"];

/// A method and its encoded parameters, with what the caller said about the call.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static MethodDescriptor,
    pub(crate) params: Vec<u8>,
    pub(crate) options: CallOptions,
    /// What few calls have.
    pub(crate) extras: Option<Box<Extras>>,
}

/// What few calls have, apart from the others so that those stay small.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// The items that the caller sends.
    pub(crate) upload: Option<Upload>,
    /// The objects among the parameters.
    pub(crate) lent: Vec<Lent>,
    /// The object that is called, if it is one.
    pub(crate) target: Option<u64>,
    /// The parameters, if they are large; none are elsewhere then.
    pub(crate) large: Option<Body>,
}

/// A request that has begun: its time runs.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) method: &'static MethodDescriptor,
    params: Vec<u8>,
    metadata: Vec<u8>,
    /// Time that was left when it began.
    left: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) idempotent: bool,
    /// Made by the handler of a repetition: such calls are not repeated in turn, or repetitions would multiply.
    pub(crate) once: bool,
    /// What the caller said about repeating this call.
    retry: Option<Arc<RetryPolicy>>,
    extras: Option<Box<Extras>>,
    /// The connection of the call that this one is made for.
    nested_on: Option<Arc<Link>>,
    flags: u8,
}

impl Request {
    /// Encodes the parameters of a call.
    pub(crate) fn new(
        method: &'static MethodDescriptor,
        options: CallOptions,
        params: &mut dyn FnMut(&mut Vec<u8>),
    ) -> Self {
        // Enough for most, so that it is made once.
        let mut encoded = Vec::with_capacity(PARAMS);
        let mut lent = Vec::new();
        let mut parts = apart::collect(|| lent = object::collect(|| params(&mut encoded)));
        if !lent.is_empty() && !parts.is_empty() {
            // Objects are found by their places in the whole.
            object::moved_by(&mut lent, &parts);
            encoded = Body::new(encoded, std::mem::take(&mut parts)).to_vec();
        }
        let is_large = lent.is_empty() && (!parts.is_empty() || encoded.len() >= apart::LARGE);
        let large = is_large.then(|| Body::new(std::mem::take(&mut encoded), parts));
        let extras = (large.is_some() || !lent.is_empty()).then(|| {
            Box::new(Extras {
                large,
                lent,
                ..Extras::default()
            })
        });
        Self {
            method,
            params: encoded,
            options,
            extras,
        }
    }

    /// Starts the clock and takes over what the surrounding handler passes on.
    pub(crate) fn prepare(mut self, limits: &Limits) -> Result<Prepared> {
        // How long a stream takes is its sender's affair; that the peer is there is what pings are for.
        let unsaid = match self.method.kind {
            MethodKind::Unary => Timeout::After(DEFAULT_TIMEOUT),
            _ => Timeout::Never,
        };
        let timeout = self
            .options
            .timeout
            .or(self.method.timeout.map(Timeout::After))
            .unwrap_or(unsaid);
        let began = Instant::now();
        let mut deadline = match timeout {
            Timeout::After(limit) => began.checked_add(limit),
            Timeout::Never => None,
        };
        let mut flags = match self.method.kind {
            MethodKind::Unary if self.method.oneway => flag::ONE_WAY,
            MethodKind::Unary => 0,
            MethodKind::ClientStream => flag::STREAM_IN,
            MethodKind::ServerStream => flag::STREAM_OUT,
            MethodKind::BidiStream => flag::STREAM_IN | flag::STREAM_OUT,
        };
        let mut once = false;
        let mut nested_on = None;
        let mut left = match timeout {
            Timeout::After(limit) => deadline.map(|_| limit),
            Timeout::Never => None,
        };
        if let Some(context) = Context::current() {
            nested_on = context.link().cloned();
            deadline = [deadline, context.deadline()].into_iter().flatten().min();
            left = deadline.map(|deadline| deadline.saturating_duration_since(began));
            if context.is_repeated() {
                flags |= flag::NO_RETRY;
                once = true;
            }
            for key in INHERITED {
                if let (Some(value), None) =
                    (context.metadata().get(key), self.options.metadata.get(key))
                {
                    self.options.metadata.insert(key, value)?;
                }
            }
        }
        if let Some(token) = &self.options.token {
            self.options
                .metadata
                .insert(AUTHORIZATION, token.reveal())?;
        }
        let metadata = self.options.metadata.encode(limits)?;
        let idempotent = self.method.idempotent || self.options.idempotent;
        Ok(Prepared {
            method: self.method,
            params: self.params,
            metadata,
            left,
            deadline,
            idempotent,
            once,
            retry: self.options.retry,
            extras: self.extras,
            nested_on,
            flags,
        })
    }
}

impl Prepared {
    /// Makes it a call to which nothing comes back.
    pub(crate) fn one_way(mut self) -> Self {
        self.flags |= flag::ONE_WAY;
        self
    }

    /// How often this call is repeated, on a channel: what the caller says, else the definition, else the channel.
    pub(crate) fn policy(&self, channel: &Retry) -> RetryPolicy {
        let mut policy = match &self.retry {
            Some(said) => return RetryPolicy::clone(said),
            None => channel.policy.clone(),
        };
        if let Some(defined) = &self.method.retry {
            policy.max_attempts = defined.max_attempts;
            policy.first_pause = defined.first_pause.unwrap_or(policy.first_pause);
        }
        policy
    }

    /// Whether the definition wants the call repeated on this status; `None` if it names no statuses.
    pub(crate) fn names(&self, status: Status) -> Option<bool> {
        let on = self.method.retry.as_ref()?.on;
        (!on.is_empty()).then(|| on.contains(&status))
    }

    /// Says to the peer that this is a repetition.
    pub(crate) fn repeated(&mut self) {
        self.flags |= flag::NO_RETRY;
    }

    /// Time until the caller gives up; `None` if it never does.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether objects are among the parameters.
    pub(crate) fn moves_objects(&self) -> bool {
        let lends = self.extras.as_ref().is_some_and(|it| !it.lent.is_empty());
        lends || self.method.signature.contains("handle<")
    }

    /// The items that the caller sends.
    pub(crate) fn upload(&self) -> Option<&Upload> {
        self.extras.as_ref()?.upload.as_ref()
    }

    /// Whether the call is made for one that came on this link, so that it may take long until there is room.
    pub(crate) fn is_nested_on(&self, link: &Arc<Link>) -> bool {
        self.nested_on
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, link))
    }

    /// A copy of the parameters.
    pub(crate) fn params(&self) -> Vec<u8> {
        match self.large() {
            Some(large) => large.to_vec(),
            None => self.params.clone(),
        }
    }

    fn large(&self) -> Option<&Body> {
        self.extras.as_ref()?.large.as_ref()
    }

    /// The metadata section.
    pub(crate) fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// The frame, with the time that is left now.
    ///
    /// # Errors
    ///
    /// `deadline_exceeded` if none is left.
    pub(crate) fn frame(&self) -> Result<CallFrame<'_>> {
        self.frame_within(self.time_left())
    }

    /// The frame of a call that began a moment ago; asking the clock again would cost more than it tells.
    ///
    /// # Errors
    ///
    /// `deadline_exceeded` if there is no time.
    pub(crate) fn first_frame(&self) -> Result<CallFrame<'_>> {
        self.frame_within(self.left)
    }

    fn frame_within(&self, left: Option<Duration>) -> Result<CallFrame<'_>> {
        let remaining_ms = match left {
            None => 0,
            Some(left) => {
                if left.is_zero() {
                    return Err(Error::too_late());
                }
                // Rounded up, so that the callee does not give up before the caller.
                let millis = left.as_secs().saturating_mul(1_000)
                    + u64::from(left.subsec_nanos().div_ceil(1_000_000));
                u32::try_from(millis).unwrap_or(u32::MAX)
            }
        };
        let part = CallPart {
            call_id: self.method.id,
            remaining_ms,
        };
        Ok(CallFrame {
            part,
            flags: self.flags,
            target: self.extras.as_ref().and_then(|it| it.target),
            metadata: &self.metadata,
            params: &self.params,
            large: self.large(),
            lent: self.extras.as_ref().map_or(&[], |it| &it.lent),
        })
    }
}
