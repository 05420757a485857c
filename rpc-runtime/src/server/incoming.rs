//! One call at the server as generated skeletons see it: parameters out, answer in.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::codec::{
    CheckLimits, Codec, Decode, DecodeError, Encode, ErrorCodec, ErrorFacts, Invalid, Reader, check,
};
use crate::context::Context;
use crate::error::{Error, Execution};
use crate::link::{Link, Responder};
use crate::object::{self, Borrowed, Home};
use crate::status::Status;
use crate::wire::calls;
use crate::wire::frame::FailPart;

/// What a skeleton gives back: the handler at work.
pub type Answer = Pin<Box<dyn Future<Output = Outgoing> + Send>>;

/// Proof that a call was answered; made by the methods of [`Incoming`].
#[derive(Debug)]
pub struct Outgoing(());

/// One call at the server. Dropping it without an answer answers `internal`, `cancelled` or `deadline_exceeded`.
pub struct Incoming {
    body: Bytes,
    reply_to: ReplyTo,
    /// Our own objects among the parameters.
    homes: Vec<Home>,
}

/// Who gets the answer.
enum ReplyTo {
    /// The peer of a connection.
    Link(Responder),
    /// A caller in this process, without a connection between.
    Local(Context, Mutex<Option<oneshot::Sender<calls::Answer>>>),
}

impl Incoming {
    /// A call that came on a connection.
    pub(crate) fn new(body: Bytes, responder: Responder, homes: Vec<Home>) -> Self {
        Self {
            body,
            reply_to: ReplyTo::Link(responder),
            homes,
        }
    }

    /// A call from a caller in this process.
    pub(crate) fn local(body: Bytes, context: Context) -> (Self, oneshot::Receiver<calls::Answer>) {
        let (sender, receiver) = oneshot::channel();
        let local = Self {
            body,
            reply_to: ReplyTo::Local(context, Mutex::new(Some(sender))),
            homes: Vec::new(),
        };
        (local, receiver)
    }

    /// The context of the call.
    pub fn context(&self) -> &Context {
        match &self.reply_to {
            ReplyTo::Link(responder) => responder.context(),
            ReplyTo::Local(context, _) => context,
        }
    }

    /// Opens the parameters: an array in order, or a map keyed by name.
    ///
    /// # Errors
    ///
    /// If they are neither.
    pub fn args(&self, count: usize) -> Result<Args<'_>, DecodeError> {
        let mut args = Args::open(&self.body, count, &self.check_limits())?;
        args.link = self.responder().map(|responder| {
            responder.begun();
            (responder.link(), &*self.homes)
        });
        Ok(args)
    }

    /// Answers that the parameters cannot be understood.
    #[cold]
    pub fn refuse(&self, error: DecodeError) -> Outgoing {
        let method = self.context().method();
        // What is wrong with the whole says more than where reading it came to an end.
        let text = match check(&self.body, &self.check_limits()) {
            Err(malformed) => format!("{method}: parameters: {malformed}"),
            Ok(()) => format!("{method}: {error}"),
        };
        self.fail(Status::InvalidArgument, Execution::NotStarted, &text)
    }

    /// What the parameters may consist of.
    fn check_limits(&self) -> CheckLimits {
        match self.responder() {
            Some(responder) => responder.link().check_limits(),
            None => CheckLimits::default(),
        }
    }

    /// Answers that a parameter breaks a rule of the definition.
    pub fn invalid(&self, invalid: Invalid) -> Outgoing {
        let text = format!("{}: {invalid}", self.context().method());
        self.fail(Status::InvalidArgument, Execution::NotStarted, &text)
    }

    /// Answers that this version does not serve the method.
    pub fn unserved(&self) -> Outgoing {
        let text = format!("{} is not served by this version", self.context().method());
        self.fail(Status::Unimplemented, Execution::NotStarted, &text)
    }

    /// Answers with the result.
    pub fn reply<T>(&self, value: &T, codec: Codec<T>) -> Outgoing {
        self.reply_with(&mut |out| (codec.encode)(value, out))
    }

    /// Answers with a result that is encoded where it is.
    pub fn reply_lent<T: ?Sized>(&self, value: &T, encode: fn(&T, &mut Vec<u8>)) -> Outgoing {
        self.reply_with(&mut |out| encode(value, out))
    }

    /// The same, or nil.
    pub fn reply_lent_optional<T: ?Sized>(
        &self,
        value: Option<&T>,
        encode: fn(&T, &mut Vec<u8>),
    ) -> Outgoing {
        match value {
            Some(value) => self.reply_lent(value, encode),
            None => self.reply_lent(&None::<()>, Encode::encode),
        }
    }

    /// Answers with the result or the declared error.
    pub fn reply_result<T, E>(
        &self,
        value: &Result<T, E>,
        codec: Codec<T>,
        error: ErrorCodec<E>,
    ) -> Outgoing {
        match value {
            Ok(value) => self.reply(value, codec),
            Err(declared) => self.reply_error(declared, error),
        }
    }

    /// Answers with the declared error.
    pub fn reply_error<E>(&self, declared: &E, error: ErrorCodec<E>) -> Outgoing {
        self.declare(
            error.facts.of(declared),
            &|| error.facts.text(declared),
            &mut |out| (error.codec.encode)(declared, out),
        )
    }

    /// Ends a one-way call.
    pub fn done(&self) -> Outgoing {
        match &self.reply_to {
            ReplyTo::Link(responder) => responder.done(),
            ReplyTo::Local(..) => {
                self.answer_local(calls::Answer::Result(Bytes::from_static(&[0xc0])))
            }
        }
        Outgoing(())
    }

    /// Runs a synchronous handler on the blocking pool, with the context ambient. It cannot be dropped in the middle:
    /// it keeps its place among the calls worked on until it returns.
    pub fn blocking(self, work: impl FnOnce(&Self) -> Outgoing + Send + 'static) -> Answer {
        Box::pin(async move {
            // A synchronous handler cannot wait with its answer, so it begins when there is room for one.
            self.room().await;
            let handler = tokio::task::spawn_blocking(move || {
                let context = self.context().clone();
                context.run(|| work(&self))
            });
            // A panic has dropped the call, which has answered by that.
            handler.await.unwrap_or(Outgoing(()))
        })
    }

    /// What does not depend on the type of a result; methods are many, and each would have its own.
    fn reply_with(&self, encode: &mut dyn FnMut(&mut Vec<u8>)) -> Outgoing {
        match &self.reply_to {
            ReplyTo::Link(responder) => responder.reply(encode),
            ReplyTo::Local(..) => self.answer_local(calls::Answer::Result(encoded(encode))),
        }
        Outgoing(())
    }

    fn declare(
        &self,
        facts: ErrorFacts,
        text: &dyn Fn() -> Option<String>,
        encode: &mut dyn FnMut(&mut Vec<u8>),
    ) -> Outgoing {
        let after = facts.retry_after.map_or(0, |after| {
            u32::try_from(after.as_millis()).unwrap_or(u32::MAX).max(1)
        });
        let part = FailPart {
            status: facts.status.code(),
            execution: Execution::Executed,
            retryable: facts.retryable,
            retry_after_ms: after,
        };
        match &self.reply_to {
            ReplyTo::Link(responder) if responder.wants_text() => match text() {
                Some(text) => responder.fail(facts.status, Execution::Executed, &text),
                None => responder.declare(part, encode),
            },
            ReplyTo::Link(responder) => responder.declare(part, encode),
            ReplyTo::Local(..) => {
                self.answer_local(calls::Answer::Declared(part, encoded(encode)));
            }
        }
        Outgoing(())
    }

    /// Who answers over a connection.
    pub(super) fn responder(&self) -> Option<&Responder> {
        match &self.reply_to {
            ReplyTo::Link(responder) => Some(responder),
            ReplyTo::Local(..) => None,
        }
    }

    /// Answers that this caller may not call the method.
    pub(crate) fn refuse_caller(&self, status: Status, text: &str) -> Outgoing {
        self.fail(status, Execution::NotStarted, text)
    }

    fn fail(&self, status: Status, execution: Execution, message: &str) -> Outgoing {
        match &self.reply_to {
            ReplyTo::Link(responder) => responder.fail(status, execution, message),
            ReplyTo::Local(..) => {
                let error =
                    Error::from_status(status, message.to_owned()).with_execution(execution);
                self.answer_local(calls::Answer::Failed(error));
            }
        }
        Outgoing(())
    }

    fn answer_local(&self, answer: calls::Answer) {
        if let ReplyTo::Local(_, sender) = &self.reply_to
            && let Some(sender) = sender.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            let _ = sender.send(answer);
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("context", self.context())
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

fn encoded(encode: &mut dyn FnMut(&mut Vec<u8>)) -> Bytes {
    let mut out = Vec::new();
    encode(&mut out);
    out.into()
}

/// Most parameters by name: each one that is wanted is looked for among all of them. In order, any number may follow
/// those that are known.
const NAMED: usize = 1_024;

/// The parameters of a call, taken one by one in the order of the definition.
#[derive(Debug)]
pub struct Args<'a> {
    form: Form<'a>,
    taken: usize,
    /// Where objects among them come from.
    link: Option<(&'a Arc<Link>, &'a [Home])>,
}

#[derive(Debug)]
enum Form<'a> {
    /// In order; the number of elements that are there.
    Array(Reader<'a>, usize),
    /// By name; where each value starts.
    Map(Vec<(&'a str, Reader<'a>)>),
}

impl<'a> Args<'a> {
    fn open(body: &'a Bytes, count: usize, limits: &CheckLimits) -> Result<Self, DecodeError> {
        // Looked over on the way, as far as it is read.
        let mut input = Reader::bounded(body, limits).in_frame(body);
        if !input.is_map() {
            let present = input.array()?;
            return Ok(Self {
                form: Form::Array(input, present),
                taken: 0,
                link: None,
            });
        }
        // By name the same bytes are come by more than once.
        check(body, limits).map_err(|malformed| DecodeError::custom(malformed.to_string()))?;
        let mut input = Reader::bounded(body, limits).in_frame(body);
        let given = input.map()?;
        if given > NAMED {
            let text = format!("{given} parameters by name, more than {NAMED} are not taken");
            return Err(DecodeError::custom(text));
        }
        let mut entries = Vec::with_capacity(count.min(given));
        for _ in 0..given {
            let key = input.key()?;
            entries.push((key, input.clone()));
            input.skip()?;
        }
        Ok(Self {
            form: Form::Map(entries),
            taken: 0,
            link: None,
        })
    }

    /// Takes a parameter that must be there.
    ///
    /// # Errors
    ///
    /// If it is missing, nil, or of another type.
    pub fn required<T>(&mut self, name: &'static str, codec: Codec<T>) -> Result<T, DecodeError> {
        // A value whose type has nil (such as `()` or `Option`) decodes it itself.
        let (input, _objects) = self.present(name)?;
        (codec.decode)(input).map_err(|error| error.in_field(name))
    }

    /// Takes a parameter that may be missing or nil.
    ///
    /// # Errors
    ///
    /// If it is of another type.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        codec: Codec<T>,
    ) -> Result<Option<T>, DecodeError> {
        let Some((input, _objects)) = self.place(name) else {
            return Ok(None);
        };
        if input.is_nil() {
            return input.nil().map(|()| None);
        }
        match (codec.decode)(input) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.in_field(name)),
        }
    }

    /// Takes a list that must be there.
    ///
    /// # Errors
    ///
    /// If it is missing or of another type.
    pub fn list<T>(&mut self, name: &'static str, codec: Codec<T>) -> Result<Vec<T>, DecodeError> {
        let (input, _objects) = self.present(name)?;
        (codec.decode_list)(input).map_err(|error| error.in_field(name))
    }

    /// Takes a parameter whose type reads itself; it may borrow from the frame.
    ///
    /// # Errors
    ///
    /// If it is missing or of another type.
    #[inline]
    pub fn borrowed<T: Decode<'a>>(&mut self, name: &'static str) -> Result<T, DecodeError> {
        // As most are: in its place, and no object.
        if let Form::Array(input, present) = &mut self.form
            && self.taken < *present
            && !object::is_object(input)
        {
            self.taken += 1;
            return T::decode(input).map_err(|error| error.in_field(name));
        }
        let (input, _objects) = self.present(name)?;
        T::decode(input).map_err(|error| error.in_field(name))
    }

    /// Takes such a parameter that may be missing or nil.
    ///
    /// # Errors
    ///
    /// If it is of another type.
    pub fn borrowed_optional<T: Decode<'a>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        let Some((input, _objects)) = self.place(name) else {
            return Ok(None);
        };
        Option::decode(input).map_err(|error| error.in_field(name))
    }

    /// Ends the parameters: what a newer caller sends beyond them is skipped, anything behind them is an error.
    ///
    /// # Errors
    ///
    /// If bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        let Form::Array(mut input, present) = self.form else {
            return Ok(());
        };
        for _ in self.taken..present {
            // Nobody here will ever hold it.
            if let (Some((link, _)), Some(id)) = (self.link, object::next_lent(&input)) {
                link.give_back(id);
            }
            input.skip()?;
        }
        input.close();
        input.finish()
    }

    fn present(
        &mut self,
        name: &'static str,
    ) -> Result<(&mut Reader<'a>, Option<Borrowed>), DecodeError> {
        let ordinal = self.taken + 1;
        self.place(name).ok_or_else(|| missing(ordinal, name))
    }

    /// Where the next parameter begins, if it is there. What comes with it is held while the parameter is read: with
    /// that an object finds its connection.
    fn place(&mut self, name: &'static str) -> Option<(&mut Reader<'a>, Option<Borrowed>)> {
        let index = self.taken;
        self.taken += 1;
        let input = match &mut self.form {
            Form::Array(_, present) if index >= *present => return None,
            Form::Array(input, _) => input,
            Form::Map(entries) => {
                let mut entries = entries.iter_mut();
                entries
                    .find(|(key, _)| *key == name)
                    .map(|(_, input)| input)?
            }
        };
        // Only an object needs to know its connection; looking for one first costs less than telling all.
        let link = self.link.filter(|_| object::is_object(input));
        let objects = link.map(|(link, homes)| object::borrow(link, homes));
        Some((input, objects))
    }
}

fn missing(ordinal: usize, name: &'static str) -> DecodeError {
    DecodeError::custom(format!("parameter {ordinal}, `{name}`, is missing"))
}
