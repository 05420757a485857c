//! Objects by reference: a method takes or returns one, and the other side gets a stub of it.
//!
//! An object travels as an ID that its connection has given it. Encoding does not know the connection, so a [`Handle`]
//! leaves a gap in the message and the object in a list ([`collect`]); the connection fills the gap when the message is
//! sent ([`Objects::lend`]). Decoding finds the connection in [`borrowing`].

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::client::Channel;
use crate::codec::apart::Part;
use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::descriptor::{Client, ServiceDescriptor};
use crate::error::{Error, ErrorKind};
use crate::link::Link;
use crate::server::Skeleton;

/// An object that lives on one side of a connection and is called from the other.
///
/// Whoever has the object wraps its skeleton by [`Handle::new`] and gives it away as a parameter or result; the other
/// side gets a handle to the same object. Both call it as they call any client: a handle derefs to `C`.
///
/// The object is released when the last clone of the received handle, and of clients taken from it, is dropped, or when
/// the connection ends; calls on it then fail (`failed_precondition`, or `unavailable` where the connection is gone) and
/// do not run. A received handle does not keep the connection open: keep the client that it came from. A connection
/// lends at most [`Limits::max_objects`](crate::Limits::max_objects) objects. A handle that was received can be given
/// back to the side it came from, which finds its own object in it, and to nobody else.
pub struct Handle<C> {
    object: Object,
    client: OnceLock<C>,
}

#[derive(Clone)]
enum Object {
    Here(Arc<dyn Skeleton>),
    There(Arc<Remote>),
}

/// An object of the peer. Dropping the last one releases it.
pub(crate) struct Remote {
    link: Arc<Link>,
    id: u64,
}

/// That a skeleton answers the calls of a client's service. Implemented by generated code.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not serve what `{C}` calls",
    label = "expected the skeleton of the same service, such as `CounterService::new(…)` for a `CounterClient`"
)]
pub trait Serves<C> {}

impl<C: Client> Handle<C> {
    /// Makes a handle to an object of this process.
    pub fn new<K: Skeleton + Serves<C>>(skeleton: K) -> Self {
        Self::of(Object::Here(Arc::new(skeleton)))
    }

    /// A client of the object, which keeps it as the handle does.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn client(&self) -> &C {
        self.client.get_or_init(|| {
            C::from(match &self.object {
                Object::Here(skeleton) => Channel::local_shared(skeleton.clone()),
                Object::There(remote) => Channel::object(remote.clone()),
            })
        })
    }

    /// Whether the object lives in this process.
    pub fn is_here(&self) -> bool {
        matches!(self.object, Object::Here(_))
    }

    fn of(object: Object) -> Self {
        let client = OnceLock::new();
        Self { object, client }
    }
}

impl<C: Client> Deref for Handle<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.client()
    }
}

impl<C> Clone for Handle<C> {
    fn clone(&self) -> Self {
        let client = OnceLock::new();
        Self {
            object: self.object.clone(),
            client,
        }
    }
}

impl<C> fmt::Debug for Handle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Object::Here(skeleton) => write!(f, "Handle({}, here)", skeleton.service().name),
            // The ID is a secret of the connection.
            Object::There(remote) => write!(f, "Handle(at {})", remote.link.peer()),
        }
    }
}

impl Remote {
    fn new(link: Arc<Link>, id: u64) -> Self {
        link.borrowed();
        Self { link, id }
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.link.release(self.id);
    }
}

/// MessagePack extension type of an object that the sender lends.
const LENT: i8 = 16;
/// … of an object that the sender gives back: the receiver's own.
const RETURNED: i8 = 17;

/// Marker, type and ID.
const FORM: usize = 10;

/// fixext 8.
const MARKER: u8 = 0xd7;

impl<C> Encode for Handle<C> {
    fn encode(&self, out: &mut Vec<u8>) {
        ANY.set(true);
        COLLECTED.with_borrow_mut(|collected| {
            collected.push(Lent {
                at: out.len(),
                object: self.object.clone(),
            });
        });
        out.push(MARKER);
        out.push(LENT as u8);
        out.extend_from_slice(&[0; 8]);
    }
}

impl<'de, C: Client> Decode<'de> for Handle<C> {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        let (kind, data) = input.ext()?;
        let id: [u8; 8] = data
            .try_into()
            .map_err(|_| DecodeError::custom("an object's ID has 8 bytes"))?;
        let id = u64::from_be_bytes(id);
        let borrowing = BORROWING.with_borrow(|borrowing| borrowing.clone());
        let Borrowing { link, homes } =
            borrowing.ok_or_else(|| DecodeError::custom("an object outside of a connection"))?;
        match kind {
            LENT => Ok(Self::of(Object::There(Arc::new(Remote::new(link, id))))),
            RETURNED => match home(&homes, id).or_else(|| link.lent(id)) {
                Some(skeleton) if serves(skeleton.service(), C::SERVICE) => {
                    Ok(Self::of(Object::Here(skeleton)))
                }
                _ => Err(DecodeError::custom("an object that was not lent")),
            },
            kind => Err(DecodeError::custom(format!(
                "an object was expected, an extension of type {kind} was found"
            ))),
        }
    }
}

fn home(homes: &[Home], id: u64) -> Option<Arc<dyn Skeleton>> {
    let found = homes.iter().find(|home| home.0 == id);
    found.map(|home| home.1.clone())
}

/// Whether a service answers every method of another one: it is that one, or extends it.
fn serves(service: &ServiceDescriptor, wanted: &ServiceDescriptor) -> bool {
    let mut methods = wanted.methods.iter();
    service.name == wanted.name || methods.all(|method| service.find(method.id).is_some())
}

// Bounded as the codec is, so that a handle of something else is refused by the compiler.
impl<C: Client> serde::Serialize for Handle<C> {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(ONLY))
    }
}

impl<'de, C: Client> serde::Deserialize<'de> for Handle<C> {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(ONLY))
    }
}

const ONLY: &str = "an object by reference can only be a parameter or a result by itself";

thread_local! {
    static COLLECTED: RefCell<Vec<Lent>> = const { RefCell::new(Vec::new()) };
    /// Whether there is something in it: looked at for every message, and next to none moves an object.
    static ANY: Cell<bool> = const { Cell::new(false) };
    static BORROWING: RefCell<Option<Borrowing>> = const { RefCell::new(None) };
}

/// What handles in a message that came refer to.
#[derive(Clone)]
struct Borrowing {
    link: Arc<Link>,
    /// Our own objects in the message.
    homes: Arc<[Home]>,
}

/// An object of ours that comes home, under its ID.
#[derive(Clone)]
pub(crate) struct Home(pub(crate) u64, pub(crate) Arc<dyn Skeleton>);

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Home({})", self.1.service().name)
    }
}

/// An object in a message that is not sent yet.
#[derive(Clone)]
pub(crate) struct Lent {
    at: usize,
    object: Object,
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lent(at {})", self.at)
    }
}

/// Runs an encoder and gives the objects that it came by, with their places in the message.
#[inline]
pub(crate) fn collect(encode: impl FnOnce()) -> Vec<Lent> {
    if ANY.get() {
        // What an encoder that panicked has left here belongs to no message.
        drop(collected());
    }
    encode();
    if ANY.get() { collected() } else { Vec::new() }
}

#[cold]
fn collected() -> Vec<Lent> {
    ANY.set(false);
    COLLECTED.take()
}

/// The same objects, in a message that begins so much later in the buffer that it was encoded into.
pub(crate) fn moved(mut lent: Vec<Lent>, start: usize) -> Vec<Lent> {
    lent.iter_mut().for_each(|lent| lent.at -= start);
    lent
}

/// Notes that parts of the message that these objects are in are inserted at their places.
pub(crate) fn moved_by(lent: &mut [Lent], parts: &[Part]) {
    for lent in lent {
        let before = parts.iter().filter(|part| part.at <= lent.at);
        lent.at += before.map(|part| part.bytes.len()).sum::<usize>();
    }
}

/// Says where handles that are decoded from now on come from: a message of a link; `homes` are our own objects in it.
/// No closure, because that would be compiled for each type that is decoded.
pub(crate) fn borrow(link: &Arc<Link>, homes: &[Home]) -> Borrowed {
    let (link, homes) = (link.clone(), homes.into());
    borrow_from(Borrowing { link, homes })
}

/// Until it is dropped, handles find their connection.
#[must_use = "handles find their connection while it is held"]
pub(crate) struct Borrowed(Option<Borrowing>);

impl Drop for Borrowed {
    fn drop(&mut self) {
        let before = self.0.take();
        BORROWING.with_borrow_mut(|known| *known = before);
    }
}

/// Where a message may have objects that are given back: their IDs, and perhaps what only looks like one.
pub(crate) fn returned(message: &[u8]) -> impl Iterator<Item = u64> {
    message
        .windows(FORM)
        .filter_map(|form| result_id(form, RETURNED))
}

/// The object that comes next, if its sender lends it.
pub(crate) fn next_lent(input: &Reader<'_>) -> Option<u64> {
    let (kind, data) = input.clone().ext().ok()?;
    let id: [u8; 8] = data.try_into().ok()?;
    (kind == LENT).then(|| u64::from_be_bytes(id))
}

fn borrow_from(borrowing: Borrowing) -> Borrowed {
    Borrowed(BORROWING.with_borrow_mut(|known| known.replace(borrowing)))
}

/// The ID of an object that a whole result consists of, if it is of this kind.
fn result_id(body: &[u8], wanted: i8) -> Option<u64> {
    match body.first_chunk::<FORM>()? {
        [MARKER, kind, id @ ..] if *kind == wanted as u8 => Some(u64::from_be_bytes(*id)),
        _ => None,
    }
}

/// The object that a whole result consists of, if its sender lends it.
pub(crate) fn lent_result(body: &[u8]) -> Option<u64> {
    result_id(body, LENT)
}

/// Whether the next value may be an object.
#[inline]
pub(crate) fn is_object(input: &Reader<'_>) -> bool {
    input.first() == Some(MARKER)
}

/// A result that is an object. Dropping it undecoded gives the object back: nobody else would.
pub(crate) struct LentResult {
    link: Arc<Link>,
    body: Bytes,
    /// Our own object, if that is what came: the peer may let go of it in the next frame, before this is decoded.
    homes: Arc<[Home]>,
    decoded: AtomicBool,
}

impl LentResult {
    /// `lent` are the objects that were lent when the result came. The link counts it as an object until it is dropped.
    pub(crate) fn new(link: Arc<Link>, body: Bytes, lent: &Objects) -> Self {
        let home = result_id(&body, RETURNED).and_then(|id| Some(Home(id, lent.get(id)?.clone())));
        let homes = home.into_iter().collect();
        Self {
            link,
            body,
            homes,
            decoded: AtomicBool::new(false),
        }
    }

    /// The body, and where handles in it find their connection.
    pub(crate) fn open(&self) -> (&Bytes, Borrowed) {
        let borrowed = borrow_from(Borrowing {
            link: self.link.clone(),
            homes: self.homes.clone(),
        });
        (&self.body, borrowed)
    }

    /// The body has been decoded: somebody holds the object now.
    pub(crate) fn is_taken(&self) {
        self.decoded.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for LentResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LentResult({} bytes)", self.body.len())
    }
}

impl Drop for LentResult {
    fn drop(&mut self) {
        if !*self.decoded.get_mut()
            && let Some(id) = result_id(&self.body, LENT)
        {
            self.link.give_back(id);
        }
        self.link.let_go();
    }
}

/// The objects that one connection has lent to its peer.
#[derive(Default)]
pub(crate) struct Objects {
    lent: HashMap<u64, Arc<dyn Skeleton>>,
    /// IDs come out of a keyed hash, so that a peer cannot guess those of objects it was not given.
    key: RandomState,
    count: u64,
    /// Objects among the parameters of calls whose end is not here: a call that was not started has taken none.
    by_call: HashMap<u32, Vec<u64>>,
}

impl Objects {
    /// Gives the objects of a message their IDs, in the order of their places.
    ///
    /// # Errors
    ///
    /// There are too many, or one belongs to another connection; then none has been lent.
    pub(crate) fn lend(
        &mut self,
        objects: &[Lent],
        link: &Link,
        limit: u32,
    ) -> Result<Vec<Loan>, Error> {
        let fresh = objects
            .iter()
            .filter(|it| matches!(it.object, Object::Here(_)));
        if self.lent.len() + fresh.count() > limit as usize {
            let text = format!(
                "{} objects are lent on this connection, more are not; drop handles that are not needed",
                self.lent.len()
            );
            return Err(Error::new(ErrorKind::ResourceExhausted, text));
        }
        let foreign = |lent: &&Lent| matches!(&lent.object, Object::There(remote) if !std::ptr::eq(&*remote.link, link));
        if objects.iter().any(|lent| foreign(&lent)) {
            return Err(Error::invalid(
                "a handle can be given back to the side it came from, on the same connection, and to nobody else; wrap it in an object of your own",
            ));
        }
        let loans = objects.iter().map(|lent| match &lent.object {
            Object::Here(skeleton) => Loan {
                at: lent.at,
                kind: LENT,
                id: self.add(skeleton.clone()),
            },
            Object::There(remote) => Loan {
                at: lent.at,
                kind: RETURNED,
                id: remote.id,
            },
        });
        Ok(loans.collect())
    }

    fn add(&mut self, skeleton: Arc<dyn Skeleton>) -> u64 {
        loop {
            self.count += 1;
            let id = self.key.hash_one(self.count);
            if let std::collections::hash_map::Entry::Vacant(place) = self.lent.entry(id) {
                place.insert(skeleton);
                return id;
            }
        }
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Arc<dyn Skeleton>> {
        self.lent.get(&id)
    }

    /// Takes an object back; whoever drops it does so outside of locks, because its destructor is the user's.
    pub(crate) fn remove(&mut self, id: u64) -> Option<Arc<dyn Skeleton>> {
        self.lent.remove(&id)
    }

    /// Notes what was lent with a call, until [`Objects::settle`].
    pub(crate) fn lent_with(&mut self, request_id: u32, loans: &[Loan]) {
        let ids: Vec<_> = loans.iter().filter_map(|loan| loan.lent_id()).collect();
        if !ids.is_empty() {
            self.by_call.insert(request_id, ids);
        }
    }

    /// The end of a call. If it was not started, what was lent with it is taken back; whoever drops that does so outside
    /// of locks.
    pub(crate) fn settle(&mut self, request_id: u32, started: bool) -> Vec<Arc<dyn Skeleton>> {
        if self.by_call.is_empty() {
            return Vec::new();
        }
        let ids = self.by_call.remove(&request_id).unwrap_or_default();
        let ids = ids.into_iter().filter(|_| !started);
        ids.filter_map(|id| self.lent.remove(&id)).collect()
    }

    /// Takes back what a message would have lent that is not sent.
    pub(crate) fn take_back(&mut self, loans: &[Loan]) -> Vec<Arc<dyn Skeleton>> {
        let ids = loans.iter().filter_map(|loan| loan.lent_id());
        ids.filter_map(|id| self.lent.remove(&id)).collect()
    }

    /// Whether calls on their way have objects with them.
    #[inline]
    pub(crate) fn travel(&self) -> bool {
        !self.by_call.is_empty()
    }

    /// How many are lent.
    pub(crate) fn len(&self) -> usize {
        self.lent.len()
    }

    /// Takes all objects back.
    pub(crate) fn take(&mut self) -> Vec<Arc<dyn Skeleton>> {
        self.by_call.clear();
        self.lent.drain().map(|(_, object)| object).collect()
    }
}

/// An object in a message that is being sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loan {
    at: usize,
    kind: i8,
    id: u64,
}

impl Loan {
    /// Fills the gap that the encoder has left.
    pub(crate) fn fill(self, message: &mut [u8]) {
        if let Some(form) = message.get_mut(self.at..self.at + FORM) {
            form[1] = self.kind as u8;
            form[2..].copy_from_slice(&self.id.to_be_bytes());
        }
    }

    /// The object's ID, if it was lent by this message.
    pub(crate) fn lent_id(self) -> Option<u64> {
        (self.kind == LENT).then_some(self.id)
    }
}
