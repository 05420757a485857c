//! Emitted definitions compile in the strictest crate and do what they say.

#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    rust_2018_idioms
)]
#![deny(
    missing_debug_implementations,
    single_use_lifetimes,
    unused_lifetimes,
    trivial_casts,
    trivial_numeric_casts
)]
#![deny(
    explicit_outlives_requirements,
    let_underscore_drop,
    unused_results,
    missing_copy_implementations
)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rpc_runtime::{
    CallError, Channel, DeclaredError, Handle, Items, Server, Serving, Status as RpcStatus, Stream,
    StreamCall, Timestamp, stream,
};

use corners::crate_::self_::corners::v1 as odd;
use streams::acme::meters::v1::{Meter, MeterClient, MeterService};
use streams::acme::streams::v1::{
    Closed, Counter, CounterClient, CounterService, Market, MarketClient, MarketService,
    Resettable, ResettableClient, ResettableService, Tick,
};
use user::acme::common::v1::{Health, HealthClient, Value};
use user::acme::user::v1::{
    self as v1, Settings, Shape, Side, Status, StoreError, User, UserError, UserService,
    UserServiceClient, UserServiceServer,
};

/// The user allows what is theirs; what is made of it must not complain again.
#[rpc_runtime::rpc_service]
trait Form {
    #[allow(clippy::too_many_arguments, reason = "as many as the form has")]
    async fn fill(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> u8;
}

mod user {
    include!("../../rpc-codegen/tests/golden/idl_user.rs");
}

mod corners {
    include!("../../rpc-codegen/tests/golden/idl_corners.rs");
}

mod streams {
    include!("../../rpc-codegen/tests/golden/idl_streams.rs");
}

struct Directory;

impl Health for Directory {
    async fn ping(&self) -> String {
        "pong".to_owned()
    }
}

impl UserService for Directory {
    async fn get_user(&self, id: v1::UserId) -> Result<User, UserError> {
        match id {
            0 => Err(UserError::NotFound { id }),
            1 => Err(UserError::Busy {
                after: Duration::from_millis(250),
            }),
            2 => Err(StoreError::Broken.into()),
            _ => Ok(ada(id)),
        }
    }

    async fn put_user(&self, user: User, dry_run: bool) -> Result<(), UserError> {
        if dry_run {
            Err(UserError::Denied(user.name))
        } else {
            Ok(())
        }
    }

    async fn find(
        &self,
        prefix: String,
        limit: Option<u32>,
        sides: Vec<Side>,
        shape: Option<Shape>,
    ) -> Vec<User> {
        assert_eq!(
            (sides.len(), shape),
            (1, Some(Shape::Rect { w: 1.0, h: 2.0 }))
        );
        (0..u64::from(limit.unwrap_or(2)))
            .map(|id| User::new(id, &prefix, BTreeMap::new(), Timestamp::default()))
            .collect()
    }

    async fn watch(
        &self,
        filter: Option<String>,
    ) -> Result<impl Stream<Item = Result<User, UserError>>, UserError> {
        if let Some(filter) = filter {
            return Err(UserError::Denied(filter));
        }
        Ok(stream::iter([
            Ok(ada(7)),
            Err(UserError::NotFound { id: 8 }),
        ]))
    }

    async fn draw(
        &self,
        shape: Shape,
        status: Status,
        raw: Vec<u8>,
        ids: BTreeSet<v1::UserId>,
    ) -> Option<Shape> {
        (status == Status::Active && raw == b"raw" && ids.contains(&7)).then_some(shape)
    }

    async fn touch(&self, _: v1::UserId) {}

    async fn old(&self) -> Option<String> {
        None
    }
}

fn ada(id: u64) -> User {
    let attrs = BTreeMap::from([("x".to_owned(), Value::new().with_number(1.5))]);
    User::new(id, "ada", attrs, Timestamp::default())
        .with_email("ada@acme.org")
        .with_age(36)
}

fn client() -> UserServiceClient {
    UserServiceClient::new(Channel::local(UserServiceServer::new(Directory)))
}

#[tokio::test]
async fn values_travel() {
    let client = client();
    assert_eq!(client.get_user(7).await.unwrap(), ada(7));
    client.put_user(&ada(7), false).await.unwrap();
    let found = client
        .find(
            "ab",
            Some(3),
            &[Side::Right],
            Some(&Shape::Rect { w: 1.0, h: 2.0 }),
        )
        .await
        .unwrap();
    assert_eq!(found.len(), 3);
    let shape = Shape::Group(vec![Shape::Circle(1.0), Shape::Empty]);
    let drawn = client
        .draw(&shape, Status::Active, b"raw", &BTreeSet::from([7]))
        .await
        .unwrap();
    assert_eq!(drawn, Some(shape));
    client.touch(7).await.unwrap();
}

#[tokio::test]
async fn inherited_methods_are_answered_and_found_by_the_parents_client() {
    let channel = Channel::local(UserServiceServer::new(Directory));
    assert_eq!(
        UserServiceClient::from(channel.clone())
            .ping()
            .await
            .unwrap(),
        "pong"
    );
    let by_name = |method: &&rpc_runtime::MethodDescriptor| method.name == "ping";
    let inherited = UserServiceClient::SERVICE
        .methods
        .iter()
        .find(by_name)
        .unwrap();
    assert_eq!(inherited, &HealthClient::SERVICE.methods[0]);
}

#[tokio::test]
async fn declared_errors_arrive_with_their_facts() {
    let client = client();
    let Err(CallError::Declared {
        error,
        status,
        retryable,
        retry_after,
    }) = client.get_user(1).await
    else {
        panic!("the service is busy");
    };
    assert_eq!(
        error,
        UserError::Busy {
            after: Duration::from_millis(250)
        }
    );
    assert_eq!(
        (status, retryable, retry_after),
        (
            RpcStatus::Unavailable,
            true,
            Some(Duration::from_millis(250))
        )
    );
    let Err(CallError::Declared { error, status, .. }) = client.get_user(0).await else {
        panic!("nobody is 0")
    };
    assert_eq!(
        (error.to_string().as_str(), status),
        ("There is no such user", RpcStatus::NotFound)
    );
    let Err(CallError::Declared { error, .. }) = client.get_user(2).await else {
        panic!("2 breaks the store")
    };
    assert_eq!(error.source().unwrap().to_string(), "broken");
    assert_eq!(UserError::Denied("x".to_owned()).to_string(), "denied: x");
}

#[tokio::test]
async fn rules_are_checked_before_the_handler() {
    let client = client();
    let mut user = ada(7);
    user.name = "ADA".to_owned();
    let refusal = client.put_user(&user, false).await.unwrap_err().to_string();
    assert!(refusal.contains("user.name"), "{refusal}");
    let refusal = client
        .find("", None, &[], None)
        .await
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("prefix"), "{refusal}");
}

#[test]
fn rules_reach_into_what_is_inside() {
    let good = || odd::Checked::new(BTreeMap::from([("k".to_owned(), odd::Inner::new("aa"))]));
    assert_eq!(good().validate(), Ok(()));
    let cases = [
        (
            good().with_name(""),
            "name: must have at least 1 character, has 0",
        ),
        (
            good().with_ratio(0.25),
            "ratio: must be at least 0.5, is 0.25",
        ),
        (
            good().with_wait(Duration::from_secs(7200)),
            "wait: must be from 1ms to 3600s, is 7200s",
        ),
        (
            odd::Checked::new(BTreeMap::new()),
            "names: must have at least 1 element, has 0",
        ),
        (
            odd::Checked::new(BTreeMap::from([("k".to_owned(), odd::Inner::new("b"))])),
            "names[k].text: must match `a+`",
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(value.validate().unwrap_err().to_string(), expected);
    }
    let many = odd::Carrier::Many {
        all: vec![good(), good().with_name("")],
        other: None,
    };
    assert_eq!(
        many.validate().unwrap_err().to_string(),
        "all[1].name: must have at least 1 character, has 0"
    );
    let one = odd::Carrier::One(good().with_ratio(0.0));
    assert!(one.validate().is_err());
}

#[test]
fn defaults_are_the_definitions() {
    let settings = Settings::default();
    assert_eq!(
        (settings.theme.as_str(), settings.limit, settings.wait),
        ("dark", -5, Duration::from_secs(2))
    );
    assert_eq!(
        (settings.price.to_string().as_str(), settings.pair),
        ("1.50", [1, 2])
    );
    assert_eq!(Settings::new().with_note("n").note.as_deref(), Some("n"));
    assert_eq!(
        (v1::MAX_NAME, v1::WORDS, v1::WAIT),
        (64, &["new", "old"][..], Duration::from_millis(1500))
    );
    assert_eq!(
        v1::NOBODY.to_string(),
        "01234567-89ab-cdef-0123-456789abcdef"
    );
}

#[test]
fn enums_are_numbers_with_names() {
    assert_eq!(
        (Status::from(1), Status::from(9)),
        (Status::Active, Status::Unrecognized(9))
    );
    assert_eq!(
        (i32::from(Status::Active), Status::default()),
        (1, Status::Unknown)
    );
    assert_eq!(
        (Side::try_from(2).unwrap(), Side::try_from(9).is_err()),
        (Side::Right, true)
    );
    assert_eq!(
        (
            Status::Active.to_string(),
            Status::Unrecognized(9).to_string()
        ),
        ("Active".to_owned(), "9".to_owned())
    );
}

#[test]
fn what_is_sensitive_is_not_shown() {
    assert_eq!(
        format!("{:?}", odd::Secret::new("abc")),
        "Secret { token: <redacted>, shapes: [] }"
    );
    let fault = odd::Error::HTTPFault {
        secret: "abc".to_owned(),
        code: 1,
    };
    assert_eq!(
        format!("{fault:?}"),
        "HTTPFault { secret: <redacted>, code: 1 }"
    );
    assert_eq!(fault.status(), RpcStatus::Aborted);
}

#[test]
fn types_may_contain_themselves() {
    let leaf = odd::Tree::Leaf(1);
    let pair = odd::Pair::new(leaf.clone(), leaf.clone());
    let tree = odd::Tree::Fork {
        left: Box::new(odd::Tree::Both(Box::new(pair))),
        right: None,
    };
    let node = odd::Node::new(1)
        .with_next(odd::Node::new(2))
        .with_link(odd::Link::new(3));
    assert_eq!(round_trip(&tree), tree);
    assert_eq!(round_trip(&node), node);
    let even = odd::Even::new().with_odd(odd::Odd::new(leaf));
    assert_eq!(round_trip(&even), even);
}

#[test]
fn json_has_names() {
    let json = serde_json::to_string(&ada(7)).unwrap();
    assert!(json.contains("\"status\":\"Active\""), "{json}");
    assert_eq!(serde_json::from_str::<User>(&json).unwrap(), ada(7));
    let shape = serde_json::to_string(&Shape::Rect { w: 1.0, h: 2.0 }).unwrap();
    assert_eq!(shape, "{\"Rect\":{\"w\":1.0,\"h\":2.0}}");
}

#[test]
fn what_is_not_known_is_kept() {
    let newer = [0x92, 0x2a, 0x93, 0x01, 0x02, 0x03];
    let shape: Shape = decode(&newer);
    assert!(matches!(&shape, Shape::Unrecognized(raw) if raw.ordinal == 42));
    assert_eq!(encode(&shape), newer);
}

#[test]
fn methods_with_streams_are_served() {
    let watch = UserServiceClient::SERVICE
        .methods
        .iter()
        .find(|method| method.name == "watch")
        .unwrap();
    assert!(watch.served);
    assert_eq!(
        watch.signature,
        "(filter: string?) -> stream User throws UserError"
    );
}

#[tokio::test]
async fn a_stream_does_not_open_or_breaks_with_the_declared_error() {
    let server = Server::new().add(UserServiceServer::new(Directory));
    let server = server.listen("tcp://127.0.0.1:0").await.unwrap();
    let client = UserServiceClient::connect(server.address()).await.unwrap();
    let refused = all(client.watch(Some("x"))).await;
    assert!(matches!(
        &refused[..],
        [Err(CallError::Declared { error: UserError::Denied(filter), .. })] if filter == "x"
    ));
    let found = all(client.watch(None)).await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].as_ref().unwrap(), &ada(7));
    assert!(matches!(
        &found[1],
        Err(CallError::Declared { error: UserError::NotFound { id: 8 }, status, .. })
            if *status == RpcStatus::NotFound
    ));
}

struct Exchange;

impl Market for Exchange {
    async fn watch(
        &self,
        filter: Option<String>,
    ) -> Result<impl Stream<Item = Result<Tick, Closed>>, Closed> {
        let name = filter.ok_or(Closed::Halted)?;
        Ok(stream::iter([
            Ok(Tick::new(&name, 1.0)),
            Err(Closed::Unknown(name)),
        ]))
    }

    async fn count_to(&self, last: u32) -> impl Stream<Item = u32> {
        stream::iter(1..=last)
    }

    async fn upload(&self, name: String, chunks: Items<Vec<u8>>) -> u64 {
        let chunks = received(chunks).await;
        let length = chunks.iter().map(Vec::len).sum::<usize>() + name.len();
        length as u64
    }

    async fn check(&self, mut ticks: Items<Tick>) -> Result<bool, Closed> {
        let first = ticks.next().await.ok_or(Closed::Halted)?;
        let first = first.map_err(|error| Closed::Unknown(error.to_string()))?;
        Ok(first.price > 0.0)
    }

    async fn shout(&self, mut lines: Items<String>) -> impl Stream<Item = String> {
        let mut shouted = Vec::new();
        while let Some(line) = lines.next().await {
            shouted.push(match line {
                Ok(line) => line.to_uppercase(),
                Err(error) => error.to_string(),
            });
        }
        stream::iter(shouted)
    }

    async fn trade(
        &self,
        limit: f64,
        orders: Items<Tick>,
    ) -> Result<impl Stream<Item = Result<f64, Closed>>, Closed> {
        let orders = received(orders).await;
        let price = move |order: Tick| {
            if order.price > limit {
                Err(Closed::Halted)
            } else {
                Ok(order.price)
            }
        };
        Ok(stream::iter(orders.into_iter().map(price)))
    }

    async fn drop_all(&self, words: Items<String>) {
        drop(words);
    }

    async fn counter(&self, start: u64) -> Handle<CounterClient> {
        Handle::new(CounterService::new(Tally(AtomicU64::new(start))))
    }

    async fn count(
        &self,
        counter: Handle<CounterClient>,
        times: u32,
        meter: Option<Handle<MeterClient>>,
    ) -> Result<u64, Closed> {
        let mut total = 0;
        for _ in 0..times {
            total = counter.add(1).await.map_err(|_| Closed::Halted)?;
            if let Some(meter) = &meter {
                meter.tell(total).await.map_err(|_| Closed::Halted)?;
            }
        }
        Ok(total)
    }

    async fn give_back(&self, counter: Handle<CounterClient>) -> Handle<CounterClient> {
        counter
    }

    async fn connect(&self, market: Handle<MarketClient>) -> Option<Handle<MeterClient>> {
        // A stream of the caller's object, read while its call is open.
        let last = values(all(market.count_to(5)).await).pop()?;
        let told = Told(Arc::new(AtomicU64::new(last.into())));
        Some(Handle::new(MeterService::new(told)))
    }
}

struct Tally(AtomicU64);

impl Counter for Tally {
    async fn add(&self, n: u64) -> u64 {
        self.0.fetch_add(n, Ordering::Relaxed) + n
    }

    async fn market(&self) -> Option<Handle<MarketClient>> {
        None
    }
}

impl Resettable for Tally {
    async fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// What a meter was told.
#[derive(Clone, Default)]
struct Told(Arc<AtomicU64>);

impl Meter for Told {
    async fn tell(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    async fn follow(&self) -> impl Stream<Item = u64> {
        stream::iter([self.0.load(Ordering::Relaxed)])
    }
}

async fn serve() -> Serving {
    let server = Server::new().add(MarketService::new(Exchange));
    let listening = server.listen("tcp://127.0.0.1:0").await;
    listening.expect("a port is free")
}

#[tokio::test]
async fn streams_of_every_kind_travel() {
    let server = serve().await;
    let market = MarketClient::new(Channel::connect(server.address()).await.unwrap());
    assert_eq!(values(all(market.count_to(3)).await), [1, 2, 3]);
    assert!(market.count_to(0).start().next().await.is_none());
    let chunks = || stream::iter([vec![1, 2], vec![3]]);
    assert_eq!(market.upload("ab", chunks()).await.unwrap(), 5);
    let ticks = stream::iter([Tick::new("a", 1.0)]);
    assert!(market.check(ticks).await.unwrap());
    let refused = market.check(stream::iter([])).await.unwrap_err();
    assert!(matches!(
        refused,
        CallError::Declared {
            error: Closed::Halted,
            retryable: true,
            ..
        }
    ));
    let lines = stream::iter(["a".to_owned(), "b".to_owned()]);
    assert_eq!(values(all(market.shout(lines)).await), ["A", "B"]);
    let orders = [Tick::new("a", 1.0), Tick::new("a", 3.0)];
    let traded = all(market.trade(2.0, stream::iter(orders))).await;
    assert_eq!(traded.len(), 2);
    assert!(traded[0].is_ok() && traded[1].is_err());
}

#[tokio::test]
async fn objects_go_both_ways_and_have_streams_of_their_own() {
    let server = serve().await;
    let market = MarketClient::new(Channel::connect(server.address()).await.unwrap());
    let counter = market.counter(5).await.unwrap();
    assert_eq!(counter.add(2).await.unwrap(), 7);

    let told = Told::default();
    let meter = Handle::new(MeterService::new(told.clone()));
    let mine = Handle::new(CounterService::new(Tally(AtomicU64::new(40))));
    assert_eq!(market.count(mine, 2, Some(meter)).await.unwrap(), 42);
    assert_eq!(told.0.load(Ordering::Relaxed), 42);

    let exchange = Handle::new(MarketService::new(Exchange));
    let meter = market.connect(exchange).await.unwrap().unwrap();
    assert_eq!(values(all(meter.follow()).await), [5]);
}

#[tokio::test]
async fn an_object_is_one_of_each_service_that_its_own_extends() {
    let server = serve().await;
    let market = MarketClient::new(Channel::connect(server.address()).await.unwrap());
    let tally = || ResettableService::new(Tally(AtomicU64::new(1)));
    let counter: Handle<CounterClient> = Handle::new(tally());
    assert_eq!(market.count(counter.clone(), 2, None).await.unwrap(), 3);
    // It comes home as what it was lent as.
    let home = market.give_back(counter).await.unwrap();
    assert!(home.is_here());
    assert_eq!(home.add(1).await.unwrap(), 4);
    let whole: Handle<ResettableClient> = Handle::new(tally());
    whole.reset().await.unwrap();
    assert_eq!(whole.add(0).await.unwrap(), 0);
}

#[tokio::test]
async fn the_rules_of_items_are_checked_before_the_handler_sees_them() {
    let server = serve().await;
    let market = MarketClient::new(Channel::connect(server.address()).await.unwrap());
    let lines = ["short".to_owned(), "longer than eight".to_owned()];
    let shouted = values(all(market.shout(stream::iter(lines))).await);
    assert_eq!(shouted[0], "SHORT");
    assert!(shouted[1].contains("at most 8 characters"), "{shouted:?}");
    let nameless = stream::iter([Tick::new("", 1.0)]);
    let refusal = market.check(nameless).await.unwrap_err().to_string();
    assert!(refusal.contains("name: must have at least"), "{refusal}");
}

/// All that a stream gives, up to its end or its error.
async fn all<T, E>(call: StreamCall<T, E>) -> Vec<Result<T, CallError<E>>>
where
    T: Send + 'static,
    E: Send + 'static,
{
    let mut items = call.start();
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        found.push(item);
    }
    found
}

async fn received<T: Send + 'static>(mut items: Items<T>) -> Vec<T> {
    let mut found = Vec::new();
    while let Some(Ok(item)) = items.next().await {
        found.push(item);
    }
    found
}

fn values<T, E: std::fmt::Debug>(found: Vec<Result<T, CallError<E>>>) -> Vec<T> {
    found.into_iter().map(Result::unwrap).collect()
}

#[test]
fn a_method_may_have_many_arguments() {
    assert_eq!(
        FormClient::SERVICE.methods[0].signature,
        "(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> u8"
    );
}

fn encode<T: rpc_runtime::codec::Encode>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

fn decode<T: for<'de> rpc_runtime::codec::Decode<'de>>(bytes: &[u8]) -> T {
    T::decode(&mut rpc_runtime::codec::Reader::new(bytes)).expect("the bytes are a value")
}

fn round_trip<T: rpc_runtime::codec::Encode + for<'de> rpc_runtime::codec::Decode<'de>>(
    value: &T,
) -> T {
    decode(&encode(value))
}
