//! Objects by reference from end to end: lent, called, given back, and dropped exactly once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_runtime::{
    Channel, ErrorKind, Execution, Handle, Items, Limits, Server, Serving, Stream, rpc_service,
    stream,
};
use tokio::time::timeout;

/// Nothing in these tests waits on purpose; what takes this long hangs.
const LONG: Duration = Duration::from_secs(30);

#[rpc_service(package = "test.objects.v1")]
trait Counter {
    async fn add(&self, by: u64) -> u64;
    #[rpc(oneway)]
    async fn note(&self, by: u64);
    fn up_to(&self, end: u64) -> impl Stream<Item = u64>;
    async fn sum(&self, numbers: Items<u64>) -> u64;
    async fn hang(&self);
}

#[rpc_service(package = "test.objects.v1")]
trait Shop {
    async fn open(&self, start: u64) -> Handle<CounterClient>;
    async fn maybe(&self, counter: Option<Handle<CounterClient>>) -> Option<u64>;
    async fn keep(&self, counter: Handle<CounterClient>);
    async fn use_kept(&self, by: u64) -> Result<u64, String>;
    async fn drop_kept(&self);
    /// Whether the object is the server's own, and what it counts then.
    async fn own(&self, counter: Handle<CounterClient>) -> (bool, u64);
    async fn back(&self, counter: Handle<CounterClient>) -> Handle<CounterClient>;
    async fn fail(&self, counter: Handle<CounterClient>) -> Result<u64, String>;
    async fn strict(&self, counter: Handle<CounterClient>, word: String) -> u64;
    async fn panics(&self) -> Handle<CounterClient>;
    /// Takes its own object back, on another thread and with something large beside it.
    #[rpc(oneway)]
    fn take(&self, ballast: Vec<u8>, counter: Handle<CounterClient>);
}

/// The same service as an older caller's server knows it: without the second parameter of `strict`.
#[rpc_service(package = "test.objects.v1", name = "Newer")]
trait Older {
    async fn greet(&self, name: String) -> String;
}

#[rpc_service(package = "test.objects.v1")]
trait Newer {
    async fn greet(&self, name: String, counter: Handle<CounterClient>) -> String;
}

struct Greets;

impl Older for Greets {
    async fn greet(&self, name: String) -> String {
        name
    }
}

#[tokio::test]
async fn an_object_that_an_older_server_does_not_know_of_is_given_back() {
    let serving = Server::new()
        .add(OlderService::new(Greets))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let census = Census::default();
    let client = NewerClient::connect(serving.address()).await.unwrap();
    let greeted = client.greet("ann".into(), census.handle(1)).await;
    assert_eq!(greeted.unwrap(), "ann");
    census.all_gone(1).await;
}

#[tokio::test]
async fn an_object_comes_home_although_its_release_is_right_behind() {
    let (_serving, corner, client) = shop("tcp://127.0.0.1:0", Limits::default()).await;
    let mut made = 0;
    for ballast in [0, 10, 200_000] {
        for _ in 0..20 {
            let counter = client.open(1).await.unwrap();
            client.take(vec![7; ballast], counter).await.unwrap();
            made += 1;
        }
    }
    corner.census.all_gone(made).await;
    assert_eq!(corner.taken.load(Ordering::SeqCst), made);
}

/// How many counters were made, and how many dropped.
#[derive(Clone, Default)]
struct Census {
    made: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Census {
    fn counter(&self, start: u64) -> CounterService<Tally> {
        self.made.fetch_add(1, Ordering::SeqCst);
        CounterService::new(Tally {
            number: AtomicU64::new(start),
            census: self.clone(),
        })
    }

    fn handle(&self, start: u64) -> Handle<CounterClient> {
        Handle::new(self.counter(start))
    }

    /// Waits until every counter is dropped, once.
    async fn all_gone(&self, made: usize) {
        let gone = async {
            while self.dropped.load(Ordering::SeqCst) < made {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, gone).await.unwrap_or_else(|_| {
            panic!("{} of {made}", self.dropped.load(Ordering::SeqCst));
        });
        assert_eq!(self.made.load(Ordering::SeqCst), made);
        assert_eq!(self.dropped.load(Ordering::SeqCst), made);
    }
}

struct Tally {
    number: AtomicU64,
    census: Census,
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.census.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counter for Tally {
    async fn add(&self, by: u64) -> u64 {
        self.number.fetch_add(by, Ordering::SeqCst) + by
    }
    async fn note(&self, by: u64) {
        self.number.fetch_add(by, Ordering::SeqCst);
    }
    fn up_to(&self, end: u64) -> impl Stream<Item = u64> {
        stream::iter(self.number.load(Ordering::SeqCst)..end)
    }
    async fn sum(&self, mut numbers: Items<u64>) -> u64 {
        while let Some(Ok(number)) = numbers.next().await {
            self.number.fetch_add(number, Ordering::SeqCst);
        }
        self.number.load(Ordering::SeqCst)
    }
    async fn hang(&self) {
        std::future::pending().await
    }
}

#[derive(Clone, Default)]
struct Corner {
    census: Census,
    kept: Arc<Mutex<Option<Handle<CounterClient>>>>,
    taken: Arc<AtomicUsize>,
}

impl Shop for Corner {
    async fn open(&self, start: u64) -> Handle<CounterClient> {
        self.census.handle(start)
    }
    async fn maybe(&self, counter: Option<Handle<CounterClient>>) -> Option<u64> {
        match counter {
            Some(counter) => Some(counter.add(1).await.unwrap()),
            None => None,
        }
    }
    async fn keep(&self, counter: Handle<CounterClient>) {
        *self.kept.lock().unwrap() = Some(counter);
    }
    async fn use_kept(&self, by: u64) -> Result<u64, String> {
        let kept = self.kept.lock().unwrap().clone();
        let kept = kept.ok_or("nothing is kept")?;
        kept.add(by).await.map_err(|error| error.to_string())
    }
    async fn drop_kept(&self) {
        *self.kept.lock().unwrap() = None;
    }
    async fn own(&self, counter: Handle<CounterClient>) -> (bool, u64) {
        (counter.is_here(), counter.add(1).await.unwrap())
    }
    async fn back(&self, counter: Handle<CounterClient>) -> Handle<CounterClient> {
        counter
    }
    async fn fail(&self, counter: Handle<CounterClient>) -> Result<u64, String> {
        drop(counter);
        Err("no".into())
    }
    async fn strict(&self, counter: Handle<CounterClient>, _: String) -> u64 {
        counter.add(1).await.unwrap()
    }
    async fn panics(&self) -> Handle<CounterClient> {
        let _counter = self.census.handle(0);
        panic!("as asked")
    }
    fn take(&self, _: Vec<u8>, counter: Handle<CounterClient>) {
        self.taken
            .fetch_add(usize::from(counter.is_here()), Ordering::SeqCst);
    }
}

async fn shop(address: &str, limits: Limits) -> (Serving, Corner, ShopClient) {
    let corner = Corner::default();
    let serving = Server::new()
        .limits(limits.clone())
        .add(ShopService::new(corner.clone()))
        .listen(address)
        .await
        .unwrap();
    let builder = Channel::builder().limits(limits);
    let client = ShopClient::new(builder.connect(serving.address()).await.unwrap());
    (serving, corner, client)
}

fn addresses(test: &str) -> [String; 3] {
    let path = std::env::temp_dir().join(format!("rpc-{test}-{}.sock", std::process::id()));
    [
        "tcp://127.0.0.1:0".to_owned(),
        format!("unix://{}", path.display()),
        format!("mem://{test}"),
    ]
}

#[tokio::test]
async fn an_object_that_is_returned_is_called_in_every_way() {
    for address in addresses("returned") {
        let (_serving, corner, client) = shop(&address, Limits::default()).await;
        let counter = client.open(10).await.unwrap();
        assert!(!counter.is_here());
        assert_eq!(counter.add(1).await.unwrap(), 11);
        assert_eq!(counter.add(1).start().await.unwrap(), 12);
        counter.note(1).await.unwrap();
        let (say, heard) = tokio::sync::oneshot::channel();
        let _callback = counter
            .add(1)
            .on_reply(move |number| say.send(number).unwrap());
        assert_eq!(heard.await.unwrap().unwrap(), 14);
        let mut numbers = counter.up_to(17).start();
        for expected in 14..17 {
            assert_eq!(numbers.next().await.unwrap().unwrap(), expected);
        }
        assert!(numbers.next().await.is_none());
        assert_eq!(counter.sum(stream::iter([1, 2, 3])).await.unwrap(), 20);
        let other = client.open(0).await.unwrap();
        assert_eq!(other.add(1).await.unwrap(), 1);
        assert_eq!(counter.add(0).await.unwrap(), 20, "each is itself");
        // A clone and a client keep it.
        let (copy, taken) = (counter.clone(), counter.client().clone());
        drop((counter, other));
        assert_eq!(copy.add(1).await.unwrap(), 21);
        drop(copy);
        assert_eq!(taken.add(1).await.unwrap(), 22);
        drop(taken);
        corner.census.all_gone(2).await;
    }
}

#[tokio::test]
async fn an_object_that_is_lent_lives_until_the_server_lets_go() {
    for address in addresses("lent") {
        let (_serving, _, client) = shop(&address, Limits::default()).await;
        let census = Census::default();
        assert_eq!(client.maybe(None).await.unwrap(), None);
        let once = client.maybe(Some(census.handle(5))).await.unwrap();
        assert_eq!(once, Some(6));
        census.all_gone(1).await;
        client.keep(census.handle(7)).await.unwrap();
        for number in 8..12 {
            assert_eq!(client.use_kept(1).await.unwrap(), number);
        }
        assert_eq!(census.dropped.load(Ordering::SeqCst), 1);
        client.drop_kept().await.unwrap();
        census.all_gone(2).await;
        client.fail(census.handle(1)).await.unwrap_err();
        census.all_gone(3).await;
    }
}

#[tokio::test]
async fn an_object_that_comes_home_is_the_object_itself() {
    for address in addresses("home") {
        let (_serving, corner, client) = shop(&address, Limits::default()).await;
        let counter = client.open(1).await.unwrap();
        assert_eq!(client.own(counter.clone()).await.unwrap(), (true, 2));
        assert_eq!(counter.add(0).await.unwrap(), 2);
        let again = client.back(counter).await.unwrap();
        assert_eq!(again.add(1).await.unwrap(), 3);
        drop(again);
        corner.census.all_gone(1).await;

        let census = Census::default();
        let mine = client.back(census.handle(5)).await.unwrap();
        assert!(mine.is_here());
        assert_eq!(mine.add(1).await.unwrap(), 6);
        drop(mine);
        census.all_gone(1).await;
        assert_eq!(client.own(census.handle(5)).await.unwrap(), (false, 6));
        census.all_gone(2).await;
    }
}

#[tokio::test]
async fn an_answer_that_nobody_takes_gives_its_object_back() {
    let (_serving, corner, client) = shop("tcp://127.0.0.1:0", Limits::default()).await;
    let pending = client.open(1).start();
    let (made, call) = (corner.census.made.clone(), client.open(2));
    assert_eq!(call.await.unwrap().add(1).await.unwrap(), 3);
    // The first was answered before the second, and is dropped undecoded.
    drop(pending);
    assert_eq!(made.load(Ordering::SeqCst), 2);
    corner.census.all_gone(2).await;
    // Here the call is given up before there is an answer.
    for _ in 0..20 {
        drop(client.open(3).start());
    }
    let last = client.open(4).await.unwrap();
    let made = corner.census.made.load(Ordering::SeqCst);
    drop(last);
    corner.census.all_gone(made).await;
}

#[tokio::test]
async fn objects_lent_with_a_call_that_was_not_started_are_taken_back() {
    let (mut serving, _, client) = shop("tcp://127.0.0.1:0", Limits::default()).await;
    let census = Census::default();
    // Refused by the peer before anything was decoded: there is no such method.
    let wrong = CounterClient::new(client.channel().clone());
    wrong.add(1).await.unwrap_err();
    // Refused by a rule of the message itself: too large for the peer.
    let word = "w".repeat(40 << 20);
    let call = client.strict(census.handle(1), word);
    let error = call.await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotSent, "{error}");
    census.all_gone(1).await;
    // Not sent in time.
    let call = client.strict(census.handle(1), String::new());
    call.timeout(Duration::ZERO).await.unwrap_err();
    census.all_gone(2).await;
    // The server goes while it holds one.
    client.keep(census.handle(1)).await.unwrap();
    let _ = serving.shutdown(Duration::ZERO).await;
    census.all_gone(3).await;
    let error = client.strict(census.handle(1), String::new()).await;
    error.unwrap_err();
    census.all_gone(4).await;
}

#[tokio::test]
async fn objects_of_a_call_that_the_server_refuses_are_taken_back() {
    let limits = Limits {
        max_inflight_per_connection: 1,
        max_objects: 2,
        ..Limits::default()
    };
    let (_serving, _, client) = shop("tcp://127.0.0.1:0", limits).await;
    let census = Census::default();
    for count in 1..=10 {
        // The server does not know what is behind this number.
        let other = OtherClient::new(client.channel().clone());
        let error = other.take(census.handle(1)).await.unwrap_err();
        assert_eq!(error.execution(), Execution::NotStarted, "{error}");
        census.all_gone(count).await;
    }
}

/// What the server of these tests does not serve.
#[rpc_service(package = "test.objects.v1")]
trait Other {
    async fn take(&self, counter: Handle<CounterClient>);
}

#[tokio::test]
async fn a_connection_lends_so_many_objects_and_then_says_so() {
    let limits = Limits {
        max_objects: 3,
        ..Limits::default()
    };
    let (_serving, corner, client) = shop("tcp://127.0.0.1:0", limits).await;
    let mut held = Vec::new();
    for number in 0..3 {
        held.push(client.open(number).await.unwrap());
    }
    let error = client.open(3).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert!(error.to_string().contains("3 objects are lent"), "{error}");
    held.pop();
    let again = async {
        while client.open(4).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, again).await.unwrap();
    drop(held);
    let made = corner.census.made.load(Ordering::SeqCst);
    corner.census.all_gone(made).await;
    client.panics().await.unwrap_err();
    corner.census.all_gone(made + 1).await;
}

#[tokio::test]
async fn the_end_of_the_connection_ends_its_objects_on_both_sides() {
    for address in addresses("ended") {
        let (mut serving, corner, client) = shop(&address, Limits::default()).await;
        let census = Census::default();
        let counter = client.open(1).await.unwrap();
        client.keep(census.handle(1)).await.unwrap();
        let hanging = counter.hang().no_timeout().start();
        let _ = serving.shutdown(Duration::ZERO).await;
        hanging.await.unwrap_err();
        corner.census.all_gone(1).await;
        census.all_gone(1).await;
        let error = counter.add(1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_ne!(error.execution(), Execution::Unknown, "{error}");
        drop(counter);
    }
}

#[tokio::test]
async fn a_handle_of_one_connection_is_of_no_use_on_another() {
    let (_serving, corner, client) = shop("tcp://127.0.0.1:0", Limits::default()).await;
    let (_other, _, other) = shop("tcp://127.0.0.1:0", Limits::default()).await;
    let counter = client.open(1).await.unwrap();
    let error = other.own(counter.clone()).await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotSent, "{error}");
    assert!(error.to_string().contains("came from"), "{error}");
    assert_eq!(counter.add(1).await.unwrap(), 2);
    drop(counter);
    corner.census.all_gone(1).await;
}

#[tokio::test]
async fn a_skeleton_of_this_process_takes_and_gives_objects() {
    let corner = Corner::default();
    let client = ShopClient::new(Channel::local(ShopService::new(corner.clone())));
    let census = Census::default();
    let counter = client.open(1).await.unwrap();
    assert_eq!(counter.add(1).await.unwrap(), 2);
    client.keep(census.handle(5)).await.unwrap();
    assert_eq!(client.use_kept(1).await.unwrap(), 6);
    client.drop_kept().await.unwrap();
    drop(counter);
    census.all_gone(1).await;
    corner.census.all_gone(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_objects_is_not_idle() {
    let (_serving, corner, client) = shop("mem://not-idle", Limits::default()).await;
    let census = Census::default();
    let counter = client.open(1).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(counter.add(1).await.unwrap(), 2);
    drop(counter);
    client.keep(census.handle(1)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(client.use_kept(1).await.unwrap(), 2);
    client.drop_kept().await.unwrap();
    census.all_gone(1).await;
    corner.census.all_gone(1).await;
}
