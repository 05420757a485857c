//! What panics at a server, wherever it is: its caller is told at once, without its words; everybody else goes on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use std::sync::Arc;
use std::time::Duration;

use rpc_runtime::{
    Channel, ErrorKind, Execution, Items, Limits, Server, Stream, rpc_service, stream,
};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Nothing in these tests waits on purpose; what takes this long hangs.
const LONG: Duration = Duration::from_secs(20);

const SECRET: &str = "words of the handler";

#[rpc_service(package = "test.panics.v1")]
trait Clumsy {
    async fn at_once(&self) -> u64;
    async fn after_a_while(&self) -> u64;
    fn on_a_thread(&self) -> u64;
    async fn in_a_task(&self) -> u64;
    /// The result is there when its last variable is dropped.
    async fn at_its_end(&self) -> u64;
    /// Is dropped when its caller is gone.
    async fn when_cancelled(&self) -> u64;
    async fn before_its_stream(&self) -> impl Stream<Item = u64>;
    fn in_its_stream(&self, after: u64) -> impl Stream<Item = u64>;
    /// The stream is dropped when its reader is gone, or at its end.
    fn in_the_end_of_its_stream(&self, items: u64) -> impl Stream<Item = u64>;
    async fn while_it_reads(&self, items: Items<u64>) -> u64;
    async fn waits(&self) -> u64;
}

fn fail() {
    panic!("{SECRET}")
}

#[derive(Clone, Default)]
struct Handlers {
    began: Arc<Notify>,
    go: Arc<Notify>,
    dropped: Arc<Notify>,
}

/// Panics when it is dropped, and tells.
struct Explosive(Arc<Notify>);

impl Drop for Explosive {
    fn drop(&mut self) {
        self.0.notify_one();
        if !std::thread::panicking() {
            panic!("{SECRET}");
        }
    }
}

impl Clumsy for Handlers {
    async fn at_once(&self) -> u64 {
        panic!("{SECRET}")
    }
    async fn after_a_while(&self) -> u64 {
        tokio::task::yield_now().await;
        panic!("{SECRET}")
    }
    fn on_a_thread(&self) -> u64 {
        panic!("{SECRET}")
    }
    async fn in_a_task(&self) -> u64 {
        let task = tokio::spawn(async { panic!("{SECRET}") });
        task.await.unwrap()
    }
    async fn at_its_end(&self) -> u64 {
        let _explosive = Explosive(self.dropped.clone());
        tokio::task::yield_now().await;
        7
    }
    async fn when_cancelled(&self) -> u64 {
        let _explosive = Explosive(self.dropped.clone());
        self.began.notify_one();
        std::future::pending().await
    }
    async fn before_its_stream(&self) -> impl Stream<Item = u64> {
        tokio::task::yield_now().await;
        fail();
        stream::iter(0..3)
    }
    fn in_its_stream(&self, after: u64) -> impl Stream<Item = u64> {
        stream::iter((0..).inspect(move |number| assert!(*number < after, "{SECRET}")))
    }
    fn in_the_end_of_its_stream(&self, items: u64) -> impl Stream<Item = u64> {
        let (explosive, began) = (Explosive(self.dropped.clone()), self.began.clone());
        stream::iter((0..items).inspect(move |_| {
            let _ = &explosive;
            began.notify_one();
        }))
    }
    async fn while_it_reads(&self, mut items: Items<u64>) -> u64 {
        items.next().await;
        panic!("{SECRET}")
    }
    async fn waits(&self) -> u64 {
        self.go.notified().await;
        7
    }
}

async fn serve(address: &str) -> (rpc_runtime::Serving, ClumsyClient, Handlers) {
    let handlers = Handlers::default();
    // Two places, so that one which is never free again would be missed.
    let limits = Limits {
        max_inflight_per_connection: 2,
        ..Limits::default()
    };
    let server = Server::new().limits(limits);
    let server = server.add(ClumsyService::new(handlers.clone()));
    let serving = server.listen(address).await.unwrap();
    let channel = Channel::connect(serving.address()).await.unwrap();
    (serving, ClumsyClient::new(channel), handlers)
}

#[track_caller]
fn assert_told(failure: &rpc_runtime::CallError) {
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::Internal, Execution::Executed),
        "{failure}"
    );
    assert!(failure.to_string().contains("panicked"), "{failure}");
    assert!(!failure.to_string().contains(SECRET), "{failure}");
}

#[tokio::test]
async fn a_handler_that_panics_anywhere_fails_its_call_and_nothing_else() {
    for address in ["tcp://127.0.0.1:0", "mem://panics"] {
        let (serving, client, handlers) = serve(address).await;
        let other = client.waits().no_timeout().start();
        for _ in 0..3 {
            for call in [
                client.at_once(),
                client.after_a_while(),
                client.on_a_thread(),
                client.in_a_task(),
                client.at_its_end(),
            ] {
                let outcome = timeout(LONG, call.into_future()).await;
                assert_told(&outcome.expect("it is answered at once").unwrap_err());
            }
        }
        handlers.go.notify_one();
        assert_eq!(timeout(LONG, other).await.unwrap().unwrap(), 7);
        assert_eq!(serving.connections(), 1);
    }
}

#[tokio::test]
async fn a_stream_whose_making_panics_is_never_taken_for_a_whole_one() {
    let (serving, client, handlers) = serve("tcp://127.0.0.1:0").await;
    let other = client.waits().no_timeout().start();
    for after in [0, 1, 100] {
        let mut items = client.in_its_stream(after).start();
        for number in 0..after {
            assert_eq!(items.next().await.unwrap().unwrap(), number);
        }
        let failure = timeout(LONG, items.next()).await.unwrap().unwrap();
        assert_told(&failure.unwrap_err());
        assert!(items.next().await.is_none());
    }
    let mut items = client.before_its_stream().start();
    assert_told(
        &timeout(LONG, items.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap_err(),
    );
    let read = client.while_it_reads(stream::iter(0..));
    assert_told(
        &timeout(LONG, read.into_future())
            .await
            .unwrap()
            .unwrap_err(),
    );
    handlers.go.notify_one();
    assert_eq!(timeout(LONG, other).await.unwrap().unwrap(), 7);
    assert_eq!(serving.connections(), 1);
}

#[tokio::test]
async fn a_destructor_that_panics_after_a_cancel_gives_its_place_back() {
    let (serving, client, handlers) = serve("tcp://127.0.0.1:0").await;
    for _ in 0..4 {
        let call = client.when_cancelled().start();
        timeout(LONG, handlers.began.notified()).await.unwrap();
        call.cancel();
        timeout(LONG, handlers.dropped.notified()).await.unwrap();
        let mut items = client.in_the_end_of_its_stream(u64::MAX).start();
        timeout(LONG, handlers.began.notified()).await.unwrap();
        items.next().await.unwrap().unwrap();
        drop(items);
        timeout(LONG, handlers.dropped.notified()).await.unwrap();
    }
    // To its end, it has been read before its destructor runs: whichever comes first, it is no silent loss.
    let mut items = client.in_the_end_of_its_stream(2).start();
    for number in 0..2 {
        assert_eq!(items.next().await.unwrap().unwrap(), number);
    }
    if let Some(end) = timeout(LONG, items.next()).await.unwrap() {
        assert_told(&end.unwrap_err());
    }
    handlers.go.notify_one();
    let after = timeout(LONG, client.waits().into_future()).await.unwrap();
    assert_eq!(after.unwrap(), 7);
    assert_eq!(serving.connections(), 1);
}
