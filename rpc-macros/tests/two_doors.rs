//! One service by both doors: the same numbers, the same bytes, and each door's client understands the other's server.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_runtime::__private::{Answer, Decode, DecodeError, Incoming, Reader, Skeleton};
use rpc_runtime::{
    CallError, Channel, DeclaredError, Handle, Items, MethodDescriptor, Server, ServiceDescriptor,
    Serving, Stream, StreamCall, Timestamp, rpc_service, stream,
};

rpc_macros::idl! {r#"
/// Both doors.
package acme.doors.v1;

error Refused {
    @status(not_found) 1: Missing(string),
}

/// Counts and greets.
service Doors {
    /// Greets.
    @idempotent
    fn hello(name: string, times: u32?) -> string;
    fn sum(numbers: list<i64>, weights: map<string, f64>) -> i64;
    fn keep(blob: bytes, wait: duration, at: timestamp) -> bytes;
    oneway fn touch(id: u64);
    fn nothing();
    @timeout(9s) @retry(max = 5, on = [unavailable, data_loss], backoff = 10ms)
    fn watch(filter: string?, last: u32) -> stream string;
    fn upload(name: string, chunks: stream bytes) -> u64;
    fn chat(times: u32, lines: stream string) -> stream string;
    fn counter(start: u64) -> handle<Counter>;
    fn count(times: u32, counter: handle<Counter>, other: handle<Counter>?) -> u64;
}

/// An object by reference.
service Counter {
    fn add(n: u64) -> u64;
}

/// Streams that fail.
service Failing {
    fn open(at: u32) -> stream u32 throws Refused;
    fn take(numbers: stream u32) -> u32 throws Refused;
}
"#}

use acme::doors::v1::{
    self as idl, CounterClient as IdlCounterClient, CounterService as IdlCounterSkeleton,
    DoorsClient as IdlClient, DoorsService as IdlSkeleton, FailingClient as IdlFailingClient,
    FailingService as IdlFailingSkeleton,
};

/// Counts and greets.
#[rpc_service(package = "acme.doors.v1")]
trait Doors {
    /// Greets.
    #[rpc(idempotent)]
    async fn hello(&self, name: &str, times: Option<u32>) -> String;
    async fn sum(&self, numbers: &[i64], weights: BTreeMap<String, f64>) -> i64;
    fn keep(&self, blob: Vec<u8>, wait: Duration, at: Timestamp) -> Vec<u8>;
    #[rpc(oneway)]
    async fn touch(&self, id: u64);
    async fn nothing(&self);
    #[rpc(timeout = "9s", retry = 5, retry_on = [unavailable, data_loss], retry_backoff = "10ms")]
    fn watch(&self, filter: Option<&str>, last: u32) -> impl Stream<Item = String>;
    async fn upload(&self, name: &str, chunks: Items<Vec<u8>>) -> u64;
    async fn chat(
        &self,
        times: u32,
        lines: impl Stream<Item = String>,
    ) -> impl Stream<Item = String>;
    async fn counter(&self, start: u64) -> Handle<CounterClient>;
    async fn count(
        &self,
        times: u32,
        counter: Handle<CounterClient>,
        other: Option<Handle<CounterClient>>,
    ) -> u64;
}

/// An object by reference.
#[rpc_service(package = "acme.doors.v1")]
trait Counter {
    async fn add(&self, n: u64) -> u64;
}

#[rpc_service(package = "acme.doors.v1")]
trait Failing {
    async fn open(
        &self,
        at: u32,
    ) -> Result<impl Stream<Item = Result<u32, idl::Refused>>, idl::Refused>;
    async fn take(&self, numbers: Items<u32>) -> Result<u32, idl::Refused>;
}

struct Mine;

impl Doors for Mine {
    async fn hello(&self, name: &str, times: Option<u32>) -> String {
        name.repeat(times.unwrap_or(1) as usize)
    }
    async fn sum(&self, numbers: &[i64], weights: BTreeMap<String, f64>) -> i64 {
        numbers.iter().sum::<i64>() + weights.len() as i64
    }
    fn keep(&self, blob: Vec<u8>, _: Duration, _: Timestamp) -> Vec<u8> {
        blob
    }
    async fn touch(&self, _: u64) {}
    async fn nothing(&self) {}
    fn watch(&self, filter: Option<&str>, last: u32) -> impl Stream<Item = String> {
        let filter = filter.unwrap_or("all");
        stream::iter((1..=last).map(move |number| format!("{filter} {number}")))
    }
    async fn upload(&self, name: &str, mut chunks: Items<Vec<u8>>) -> u64 {
        let mut length = name.len();
        while let Some(Ok(chunk)) = chunks.next().await {
            length += chunk.len();
        }
        length as u64
    }
    async fn chat(
        &self,
        times: u32,
        mut lines: impl Stream<Item = String> + Send + Unpin + 'static,
    ) -> impl Stream<Item = String> {
        let mut said = Vec::new();
        while let Some(line) = poll_fn(|cx| Pin::new(&mut lines).poll_next(cx)).await {
            said.push(line.repeat(times as usize));
        }
        stream::iter(said)
    }
    async fn counter(&self, start: u64) -> Handle<CounterClient> {
        Handle::new(CounterService::new(Tally(AtomicU64::new(start))))
    }
    async fn count(
        &self,
        times: u32,
        counter: Handle<CounterClient>,
        other: Option<Handle<CounterClient>>,
    ) -> u64 {
        let mut sum = 0;
        for _ in 0..times {
            sum = counter.add(1).await.expect("the object answers");
        }
        match other {
            Some(other) => other.add(sum).await.expect("the object answers"),
            None => sum,
        }
    }
}

/// An object that counts.
struct Tally(AtomicU64);

impl Counter for Tally {
    async fn add(&self, n: u64) -> u64 {
        self.0.fetch_add(n, Ordering::Relaxed) + n
    }
}

impl idl::Counter for Tally {
    async fn add(&self, n: u64) -> u64 {
        Counter::add(self, n).await
    }
}

impl Failing for Mine {
    async fn open(
        &self,
        at: u32,
    ) -> Result<impl Stream<Item = Result<u32, idl::Refused>>, idl::Refused> {
        if at == 0 {
            return Err(idl::Refused::Missing("nothing".to_owned()));
        }
        Ok(stream::iter((1..=at).map(move |number| {
            if number == at {
                Err(idl::Refused::Missing(number.to_string()))
            } else {
                Ok(number)
            }
        })))
    }
    async fn take(&self, mut numbers: Items<u32>) -> Result<u32, idl::Refused> {
        match numbers.next().await {
            Some(Ok(number)) => Ok(number),
            _ => Err(idl::Refused::Missing("first".to_owned())),
        }
    }
}

impl idl::Failing for Mine {
    async fn open(
        &self,
        at: u32,
    ) -> Result<impl Stream<Item = Result<u32, idl::Refused>>, idl::Refused> {
        Failing::open(self, at).await
    }
    async fn take(&self, numbers: Items<u32>) -> Result<u32, idl::Refused> {
        Failing::take(self, numbers).await
    }
}

impl idl::Doors for Mine {
    async fn hello(&self, name: String, times: Option<u32>) -> String {
        Doors::hello(self, &name, times).await
    }
    async fn sum(&self, numbers: Vec<i64>, weights: BTreeMap<String, f64>) -> i64 {
        Doors::sum(self, &numbers, weights).await
    }
    async fn keep(&self, blob: Vec<u8>, wait: Duration, at: Timestamp) -> Vec<u8> {
        Doors::keep(self, blob, wait, at)
    }
    async fn touch(&self, _: u64) {}
    async fn nothing(&self) {}
    async fn watch(&self, filter: Option<String>, last: u32) -> impl Stream<Item = String> {
        let words: Vec<_> = (1..=last)
            .map(|number| format!("{} {number}", filter.as_deref().unwrap_or("all")))
            .collect();
        stream::iter(words)
    }
    async fn upload(&self, name: String, chunks: Items<Vec<u8>>) -> u64 {
        Doors::upload(self, &name, chunks).await
    }
    async fn chat(&self, times: u32, mut lines: Items<String>) -> impl Stream<Item = String> {
        let mut said = Vec::new();
        while let Some(Ok(line)) = lines.next().await {
            said.push(line.repeat(times as usize));
        }
        stream::iter(said)
    }
    async fn counter(&self, start: u64) -> Handle<IdlCounterClient> {
        Handle::new(IdlCounterSkeleton::new(Tally(AtomicU64::new(start))))
    }
    async fn count(
        &self,
        times: u32,
        counter: Handle<IdlCounterClient>,
        other: Option<Handle<IdlCounterClient>>,
    ) -> u64 {
        let mut sum = 0;
        for _ in 0..times {
            sum = counter.add(1).await.expect("the object answers");
        }
        match other {
            Some(other) => other.add(sum).await.expect("the object answers"),
            None => sum,
        }
    }
}

#[test]
fn the_call_id_tables_are_equal() {
    assert_eq!(
        described(DoorsClient::SERVICE),
        described(IdlClient::SERVICE)
    );
    assert_eq!(
        DoorsClient::SERVICE.fingerprint,
        IdlClient::SERVICE.fingerprint
    );
}

fn described(service: &'static ServiceDescriptor) -> Vec<&'static MethodDescriptor> {
    assert!(service.methods.is_sorted_by_key(|method| method.id));
    service.methods.iter().collect()
}

#[tokio::test]
async fn a_traits_client_calls_a_definitions_server() {
    let client = DoorsClient::new(Channel::local(IdlSkeleton::new(Mine)));
    assert_eq!(client.hello("ab", Some(2)).await.unwrap(), "abab");
    assert_eq!(client.hello("ab", None).await.unwrap(), "ab");
    assert_eq!(
        client
            .sum(&[1, 2], BTreeMap::from([("x".to_owned(), 0.5)]))
            .await
            .unwrap(),
        4
    );
    assert_eq!(
        client
            .keep(vec![1, 2], Duration::from_secs(1), Timestamp::now())
            .await
            .unwrap(),
        [1, 2]
    );
    client.touch(7).await.unwrap();
    client.nothing().await.unwrap();
}

#[tokio::test]
async fn a_definitions_client_calls_a_traits_server() {
    let client = IdlClient::new(Channel::local(DoorsService::new(Mine)));
    assert_eq!(client.hello("ab", Some(2)).await.unwrap(), "abab");
    let weights = BTreeMap::from([("x".to_owned(), 0.5)]);
    assert_eq!(client.sum(&[1, 2], &weights).await.unwrap(), 4);
    assert_eq!(
        client
            .keep(&[1, 2], Duration::from_secs(1), Timestamp::now())
            .await
            .unwrap(),
        [1, 2]
    );
    client.touch(7).await.unwrap();
    client.nothing().await.unwrap();
}

#[tokio::test]
async fn streams_of_each_doors_server_reach_the_others_client() {
    let chunks = || stream::iter([vec![1, 2], vec![3]]);
    let lines = || stream::iter(["a".to_owned(), "b".to_owned()]);

    let by_text = serve(IdlSkeleton::new(Mine)).await;
    let client = DoorsClient::connect(by_text.address()).await.unwrap();
    assert_eq!(all(client.watch(Some("x"), 2)).await, ["x 1", "x 2"]);
    assert_eq!(client.upload("ab", chunks()).await.unwrap(), 5);
    assert_eq!(all(client.chat(2, lines())).await, ["aa", "bb"]);

    let by_trait = serve(DoorsService::new(Mine)).await;
    let client = IdlClient::connect(by_trait.address()).await.unwrap();
    assert_eq!(all(client.watch(None, 2)).await, ["all 1", "all 2"]);
    assert_eq!(client.upload("ab", chunks()).await.unwrap(), 5);
    assert_eq!(all(client.chat(2, lines())).await, ["aa", "bb"]);
}

#[tokio::test]
async fn both_doors_tell_of_a_stream_that_fails_in_the_same_words() {
    let (first, second) = (
        serve(IdlFailingSkeleton::new(Mine)).await,
        serve(FailingService::new(Mine)).await,
    );
    let by_trait = FailingClient::connect(first.address()).await.unwrap();
    let by_text = IdlFailingClient::connect(second.address()).await.unwrap();
    for at in 0..3 {
        let (first, second) = (told(by_trait.open(at)).await, told(by_text.open(at)).await);
        assert_eq!(first, second);
        let numbers = at.saturating_sub(1) as usize;
        assert_eq!(first.len(), numbers + 1, "{first:?}");
        let word = if at == 0 {
            "nothing".to_owned()
        } else {
            at.to_string()
        };
        assert_eq!(first.last(), Some(&format!("missing: {word}")));
    }
    let none = || stream::iter(Vec::new());
    for error in [
        by_trait.take(none()).await.unwrap_err(),
        by_text.take(none()).await.unwrap_err(),
    ] {
        assert!(matches!(
            error,
            CallError::Declared { error: idl::Refused::Missing(word), .. } if word == "first"
        ));
    }
}

#[tokio::test]
async fn objects_of_both_doors_are_called_by_the_others_clients() {
    let by_text = serve(IdlSkeleton::new(Mine)).await;
    let client = DoorsClient::connect(by_text.address()).await.unwrap();
    let counter = client.counter(5).await.unwrap();
    assert_eq!(counter.add(1).await.unwrap(), 6);
    let mine = || Handle::new(CounterService::new(Tally(AtomicU64::new(10))));
    assert_eq!(client.count(2, mine(), None).await.unwrap(), 12);
    assert_eq!(client.count(1, mine(), Some(mine())).await.unwrap(), 21);
    assert_eq!(client.count(2, counter, None).await.unwrap(), 8);

    let by_trait = serve(DoorsService::new(Mine)).await;
    let client = IdlClient::connect(by_trait.address()).await.unwrap();
    let counter = client.counter(5).await.unwrap();
    assert_eq!(counter.add(1).await.unwrap(), 6);
    let mine = || Handle::new(IdlCounterSkeleton::new(Tally(AtomicU64::new(10))));
    assert_eq!(client.count(2, mine(), None).await.unwrap(), 12);
    assert_eq!(client.count(1, mine(), Some(mine())).await.unwrap(), 21);
    assert_eq!(client.count(2, counter, None).await.unwrap(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocking_clients_of_both_doors_take_and_give_streams() {
    let by_text = serve(IdlSkeleton::new(Mine)).await;
    let address = by_text.address().to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let client = DoorsBlockingClient::connect(address).unwrap();
        let found: Vec<_> = client
            .watch(Some("x"), 2)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(found, ["x 1", "x 2"]);
        assert_eq!(client.upload("ab", [vec![1, 2], vec![3]]).unwrap(), 5);
        let mut chat = client.chat(2).unwrap();
        chat.send(&"a".to_owned()).unwrap();
        chat.finish();
        assert_eq!(chat.map(Result::unwrap).collect::<Vec<_>>(), ["aa"]);
    });
    work.await.unwrap();
    let by_trait = serve(DoorsService::new(Mine)).await;
    let address = by_trait.address().to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let client = idl::DoorsBlockingClient::connect(address).unwrap();
        let found: Vec<_> = client.watch(None, 2).unwrap().map(Result::unwrap).collect();
        assert_eq!(found, ["all 1", "all 2"]);
        assert_eq!(client.upload("ab", vec![vec![1, 2], vec![3]]).unwrap(), 5);
        let mut chat = client.chat(2).unwrap();
        chat.send(&"a".to_owned()).unwrap();
        chat.finish();
        assert_eq!(chat.map(Result::unwrap).collect::<Vec<_>>(), ["aa"]);
    });
    work.await.unwrap();
}

async fn serve(skeleton: impl Skeleton) -> Serving {
    let server = Server::new().add(skeleton);
    server
        .listen("tcp://127.0.0.1:0")
        .await
        .expect("a port is free")
}

/// All that a stream gives.
async fn all<T: Send + 'static>(call: StreamCall<T>) -> Vec<T> {
    let mut items = call.await.expect("the stream opens");
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        found.push(item.expect("the stream does not break"));
    }
    found
}

/// All that a stream gives, and what it ends with, in words.
async fn told(call: StreamCall<u32, idl::Refused>) -> Vec<String> {
    let mut items = call.start();
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        found.push(match item {
            Ok(number) => number.to_string(),
            Err(CallError::Declared { error, .. }) => error.to_string(),
            Err(error) => format!("not declared: {error}"),
        });
    }
    found
}

#[tokio::test]
async fn the_bytes_of_both_doors_are_equal() {
    let (first, second) = (Recorder::default(), Recorder::default());
    let (left, right) = (serve(first.clone()).await, serve(second.clone()).await);
    let by_trait = DoorsClient::connect(left.address()).await.unwrap();
    let by_text = IdlClient::connect(right.address()).await.unwrap();
    let weights = BTreeMap::from([("b".to_owned(), 2.0), ("a".to_owned(), 0.5)]);
    let at = Timestamp {
        seconds: 1_700_000_000,
        nanos: 5,
    };

    let _ = by_trait.hello("ab", None).await;
    let _ = by_text.hello("ab", None).await;
    let _ = by_trait.hello("ab", Some(300)).await;
    let _ = by_text.hello("ab", Some(300)).await;
    let _ = by_trait.sum(&[1, -2, i64::MAX], weights.clone()).await;
    let _ = by_text.sum(&[1, -2, i64::MAX], &weights).await;
    let _ = by_trait
        .keep(vec![0, 255], Duration::from_millis(5), at)
        .await;
    let _ = by_text.keep(&[0, 255], Duration::from_millis(5), at).await;
    let _ = by_trait.nothing().await;
    let _ = by_text.nothing().await;
    let _ = by_trait.watch(Some("x"), 7).start().next().await;
    let _ = by_text.watch(Some("x"), 7).start().next().await;
    let chunks = || stream::iter([vec![1, 2], vec![3]]);
    let _ = by_trait.upload("ab", chunks()).await;
    let _ = by_text.upload("ab", chunks()).await;
    let lines = || stream::iter(["a".to_owned()]);
    let _ = by_trait.chat(3, lines()).start().next().await;
    let _ = by_text.chat(3, lines()).start().next().await;

    let (first, second) = (first.taken(), second.taken());
    assert_eq!(first.len(), 8);
    assert_eq!(first, second);
}

/// A skeleton that keeps the bytes of every argument instead of understanding it.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Recorded>>>);

/// The method's name, and each argument as it was on the wire.
type Recorded = (&'static str, Vec<Vec<u8>>);

impl Recorder {
    fn taken(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.0.lock().expect("no test panics with the lock"))
    }
}

impl Skeleton for Recorder {
    fn service(&self) -> &'static ServiceDescriptor {
        IdlClient::SERVICE
    }

    fn call(&self, method: usize, request: Incoming) -> Answer {
        let method = &self.service().methods[method];
        let count = method.signature.split_once(')').map_or(0, |(params, _)| {
            params.matches(':').count() - params.matches(": stream ").count()
        });
        let mut args = request.args(count).expect("the arguments are an array");
        let raw = (0..count)
            .map(|_| args.borrowed::<Raw>("").expect("the argument is there").0)
            .collect();
        args.finish().expect("nothing follows");
        self.0
            .lock()
            .expect("no test panics with the lock")
            .push((method.name, raw));
        Box::pin(std::future::ready(request.unserved()))
    }
}

struct Raw(Vec<u8>);

impl<'de> Decode<'de> for Raw {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        input.raw().map(|bytes| Self(bytes.to_vec()))
    }
}

#[test]
fn an_error_of_the_definition_keeps_its_meaning() {
    let error = idl::Refused::Missing("x".to_owned());
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (rpc_runtime::Status::NotFound, "missing: x")
    );
}
