//! Streams from end to end: every kind, every way to call, every transport, sizes, slow readers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_runtime::{
    CallError, Channel, ErrorKind, Items, Limits, Server, Serving, Stream, rpc_service, stream,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

/// Nothing in these tests waits on purpose; what takes this long hangs.
const LONG: Duration = Duration::from_secs(60);

#[rpc_service(package = "test.streams.v1")]
trait Pipes {
    fn count(&self, to: u64) -> impl Stream<Item = u64>;
    /// Items of these sizes.
    fn blobs(&self, sizes: Vec<u32>) -> impl Stream<Item = Vec<u8>>;
    /// How long the items are that come.
    async fn lengths(&self, name: String, blobs: Items<Vec<u8>>) -> Result<Vec<u32>, String>;
    async fn echo(&self, blobs: Items<Vec<u8>>) -> impl Stream<Item = Vec<u8>>;
    async fn size(&self, bytes: Vec<u8>) -> u64;
    async fn body(&self, bytes: u64) -> Vec<u8>;
    async fn small(&self, number: u64) -> u64;
    /// Answers at once, while a task of its own still reads.
    async fn leave(&self, blobs: Items<Vec<u8>>) -> u64;
    /// Never ends; counts what it has made.
    fn endless(&self, bytes: u32) -> impl Stream<Item = Vec<u8>>;
    fn panics(&self, after: u64) -> impl Stream<Item = u64>;
}

#[derive(Clone, Default)]
struct Works {
    made: Arc<AtomicU64>,
    read: Arc<AtomicU64>,
    left: Arc<Notify>,
    gone: Arc<Notify>,
}

struct Gone(Arc<Notify>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn blob(bytes: u32) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251) as u8).collect()
}

impl Pipes for Works {
    fn count(&self, to: u64) -> impl Stream<Item = u64> {
        stream::iter(0..to)
    }
    fn blobs(&self, sizes: Vec<u32>) -> impl Stream<Item = Vec<u8>> {
        stream::iter(sizes.into_iter().map(blob))
    }
    async fn lengths(&self, name: String, mut blobs: Items<Vec<u8>>) -> Result<Vec<u32>, String> {
        let mut lengths = vec![name.len() as u32];
        while let Some(item) = blobs.next().await {
            let item = item.map_err(|error| error.to_string())?;
            assert_eq!(item, blob(item.len() as u32));
            self.read.fetch_add(1, Ordering::Relaxed);
            lengths.push(item.len() as u32);
        }
        Ok(lengths)
    }
    async fn echo(&self, mut blobs: Items<Vec<u8>>) -> impl Stream<Item = Vec<u8>> {
        let (say, answers) = stream::pipe(1);
        tokio::spawn(async move {
            while let Some(Ok(item)) = blobs.next().await {
                if say.send(item).await.is_err() {
                    return;
                }
            }
        });
        answers
    }
    async fn size(&self, bytes: Vec<u8>) -> u64 {
        bytes.len() as u64
    }
    async fn body(&self, bytes: u64) -> Vec<u8> {
        blob(bytes as u32)
    }
    async fn small(&self, number: u64) -> u64 {
        number + 1
    }
    async fn leave(&self, mut blobs: Items<Vec<u8>>) -> u64 {
        let left = self.left.clone();
        let task = tokio::spawn(async move {
            while let Some(Ok(_)) = blobs.next().await {}
            left.notify_one();
        });
        tokio::task::yield_now().await;
        u64::from(!task.is_finished())
    }
    fn endless(&self, bytes: u32) -> impl Stream<Item = Vec<u8>> {
        let (made, gone) = (self.made.clone(), Gone(self.gone.clone()));
        stream::iter((0..).map(move |_: u64| {
            let _ = &gone;
            made.fetch_add(1, Ordering::SeqCst);
            blob(bytes)
        }))
    }
    fn panics(&self, after: u64) -> impl Stream<Item = u64> {
        stream::iter((0..).inspect(move |number| assert!(*number < after, "enough")))
    }
}

fn addresses(test: &str) -> [String; 3] {
    let path = std::env::temp_dir().join(format!("rpc-{test}-{}.sock", std::process::id()));
    [
        "tcp://127.0.0.1:0".to_owned(),
        format!("unix://{}", path.display()),
        format!("mem://{test}"),
    ]
}

async fn serve(address: &str, limits: Limits) -> (Serving, Works) {
    let works = Works::default();
    let serving = Server::new()
        .limits(limits)
        .add(PipesService::new(works.clone()))
        .listen(address)
        .await
        .unwrap();
    (serving, works)
}

async fn client(serving: &Serving, limits: Limits) -> PipesClient {
    let builder = Channel::builder().limits(limits);
    PipesClient::new(builder.connect(serving.address()).await.unwrap())
}

async fn all<T, E: std::fmt::Debug>(mut items: Items<T, E>) -> Vec<T> {
    let mut found = Vec::new();
    while let Some(item) = timeout(LONG, items.next()).await.expect("a stream hangs") {
        found.push(item.unwrap());
    }
    found
}

fn uploaded(sizes: &[u32]) -> impl Stream<Item = Vec<u8>> + Send + 'static {
    let sizes = sizes.to_vec();
    stream::iter(sizes.into_iter().map(blob))
}

const SIZES: [u32; 9] = [0, 1, 65_535, 65_536, 65_537, 0, 5 << 20, 4_096, 4_097];

fn lengths(name: u32, sizes: &[u32]) -> Vec<u32> {
    [&[name], sizes].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_stream_works_on_every_transport() {
    for address in addresses("kinds") {
        let (serving, _) = serve(&address, Limits::default()).await;
        let client = client(&serving, Limits::default()).await;
        assert_eq!(all(client.count(5).await.unwrap()).await, [0, 1, 2, 3, 4]);
        assert_eq!(all(client.count(3).start()).await, [0, 1, 2]);
        assert!(all(client.count(0).start()).await.is_empty());
        let (say, mut heard) = mpsc::unbounded_channel();
        let _callback = client.count(3).on_item(move |item| say.send(item).unwrap());
        for number in 0..3 {
            assert_eq!(heard.recv().await.unwrap().unwrap(), number);
        }
        assert!(heard.recv().await.is_none());

        let found: Vec<_> = all(client.blobs(SIZES.to_vec()).start()).await;
        assert!(found.iter().map(|item| item.len() as u32).eq(SIZES));
        assert!(found.iter().all(|item| *item == blob(item.len() as u32)));
        let came = client.lengths("ann".into(), uploaded(&SIZES)).await;
        assert_eq!(came.unwrap(), lengths(3, &SIZES));
        let came = client.lengths(String::new(), uploaded(&SIZES)).start();
        assert_eq!(came.await.unwrap(), lengths(0, &SIZES));
        let back = all(client.echo(uploaded(&SIZES)).start()).await;
        assert!(back.iter().map(|item| item.len() as u32).eq(SIZES));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_blocking_client_has_every_kind_of_stream() {
    for address in addresses("blocking").into_iter().take(2) {
        let (serving, _) = serve(&address, Limits::default()).await;
        let address = serving.address().to_owned();
        let work = tokio::task::spawn_blocking(move || {
            let client = PipesBlockingClient::connect(&address).unwrap();
            let numbers: Result<Vec<_>, _> = client.count(100).unwrap().collect();
            assert_eq!(numbers.unwrap(), (0..100).collect::<Vec<_>>());
            let found = client.blobs(SIZES.to_vec()).unwrap();
            assert!(found.map(|item| item.unwrap().len() as u32).eq(SIZES));
            let name = "n".repeat(200_000);
            let came = client.lengths(name, SIZES.map(blob)).unwrap();
            assert_eq!(came, lengths(200_000, &SIZES));
            let mut echo = client.echo().unwrap();
            for size in SIZES {
                echo.send(&blob(size)).unwrap();
                assert_eq!(echo.next().unwrap().unwrap(), blob(size));
            }
            echo.finish();
            assert!(echo.next().is_none());
        });
        timeout(LONG, work).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_that_holds_an_idle_stream_holds_up_no_other_thread() {
    let (serving, _) = serve("tcp://127.0.0.1:0", Limits::default()).await;
    let address = serving.address().to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let client = PipesBlockingClient::connect(&address).unwrap();
        let mut idle: Vec<_> = (0..3).map(|_| client.endless(60_000).unwrap()).collect();
        assert_eq!(idle[0].next().unwrap().unwrap().len(), 60_000);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for number in 0..50 {
                        assert_eq!(client.small(number).unwrap(), number + 1);
                    }
                    assert_eq!(client.count(20_000).unwrap().count(), 20_000);
                    let came = client.lengths(String::new(), vec![blob(60_000); 20]);
                    assert_eq!(came.unwrap().len(), 21);
                });
            }
        });
        assert_eq!(idle[0].next().unwrap().unwrap().len(), 60_000);
    });
    timeout(LONG, work).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_small_items_come_in_order() {
    let (serving, _) = serve("tcp://127.0.0.1:0", Limits::default()).await;
    let client = client(&serving, Limits::default()).await;
    let mut numbers = client.count(1_000_000).start();
    for expected in 0..1_000_000 {
        let next = timeout(LONG, numbers.next()).await.unwrap();
        assert_eq!(next.unwrap().unwrap(), expected);
    }
    assert!(numbers.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_item_that_comes_together_with_the_end_is_not_lost() {
    let (serving, _) = serve("mem://together", Limits::default()).await;
    let client = client(&serving, Limits::default()).await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..2_000 {
                assert_eq!(all(client.count(1).start()).await, [0]);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn the_items_of_a_call_with_large_parameters_come_behind_them() {
    for address in addresses("large-call") {
        let (serving, _) = serve(&address, Limits::default()).await;
        let client = client(&serving, Limits::default()).await;
        for items in [&SIZES[..], &[]] {
            let name = "n".repeat(3_000_000);
            let call = client.lengths(name, uploaded(items)).into_future();
            let came = timeout(LONG, call).await.unwrap();
            assert_eq!(came.unwrap(), lengths(3_000_000, items));
        }
    }
}

#[tokio::test]
async fn windows_smaller_than_an_item_let_it_through() {
    for window in [13, 14, 100, 1_000] {
        let limits = Limits {
            stream_window: window,
            connection_window: window,
            ..Limits::default()
        };
        let (serving, _) = serve("tcp://127.0.0.1:0", limits.clone()).await;
        let client = client(&serving, limits).await;
        let sizes = [0, 1, 5, 300];
        let work = async {
            let found = all(client.blobs(sizes.to_vec()).start()).await;
            assert!(found.iter().map(|item| item.len() as u32).eq(sizes));
            client.lengths(String::new(), uploaded(&sizes)).await
        };
        let came = timeout(LONG, work)
            .await
            .expect("a window is never large enough");
        assert_eq!(came.unwrap(), lengths(0, &sizes), "window {window}");
    }
}

#[tokio::test]
async fn windows_that_no_item_fits_into_are_refused_at_once() {
    for window in [0, 1, 12] {
        let limits = Limits {
            stream_window: window,
            ..Limits::default()
        };
        let (serving, _) = serve("tcp://127.0.0.1:0", limits.clone()).await;
        let plain = client(&serving, Limits::default()).await;
        let refused = timeout(
            LONG,
            plain.lengths(String::new(), uploaded(&[1])).into_future(),
        );
        let error = refused.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unimplemented, "{error}");
        assert!(error.to_string().contains("takes no streams"), "{error}");

        let (serving, _) = serve("tcp://127.0.0.1:0", Limits::default()).await;
        let narrow = client(&serving, limits).await;
        let mut refused = narrow.count(1).start();
        let error = timeout(LONG, refused.next()).await.unwrap().unwrap();
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error}");
        assert_eq!(narrow.small(1).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_peer_with_small_frames_gets_small_pieces() {
    for max_frame_bytes in [1_000, 65_536] {
        let limits = Limits {
            max_frame_bytes,
            ..Limits::default()
        };
        let (serving, _) = serve("tcp://127.0.0.1:0", limits.clone()).await;
        let client = client(&serving, limits).await;
        let sizes = [65_520, 65_536, 65_537, 999, 200_000];
        let found = all(client.blobs(sizes.to_vec()).start()).await;
        assert!(found.iter().map(|item| item.len() as u32).eq(sizes));
        let came = client.lengths(String::new(), uploaded(&sizes)).await;
        assert_eq!(came.unwrap(), lengths(0, &sizes));
        for size in sizes {
            assert_eq!(client.size(blob(size)).await.unwrap(), u64::from(size));
            assert_eq!(client.body(u64::from(size)).await.unwrap(), blob(size));
        }
    }
}

#[tokio::test]
async fn small_calls_are_answered_between_the_pieces_of_large_ones() {
    const LARGE: usize = 64 << 20;
    let limits = Limits {
        max_message_bytes: 80 << 20,
        max_nodes: 1 << 20,
        connection_memory: 512 << 20,
        ..Limits::default()
    };
    let (serving, _) = serve("tcp://127.0.0.1:0", limits.clone()).await;
    let client = client(&serving, limits).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| order.lock().unwrap().push(what);
    let upload = async {
        let call = client.size(vec![7; LARGE]).no_timeout();
        assert_eq!(call.await.unwrap(), LARGE as u64);
        note("large call");
    };
    let download = async {
        let call = client.body(LARGE as u64).no_timeout();
        assert_eq!(call.await.unwrap().len(), LARGE);
        note("large answer");
    };
    let pieces = async {
        let items = stream::iter((0..64).map(|_| blob(1 << 20)));
        let call = client.lengths(String::new(), items).no_timeout();
        assert_eq!(call.await.unwrap().len(), 65);
        note("large stream");
    };
    let small = async {
        for number in 0..20 {
            assert_eq!(client.small(number).no_timeout().await.unwrap(), number + 1);
            note("small");
        }
    };
    let work = async { tokio::join!(upload, download, pieces, small) };
    timeout(LONG * 3, work).await.expect("large bodies hang");
    let order = order.lock().unwrap();
    let large = order.iter().position(|what| what.starts_with("large"));
    // One after the other, all of them while the large ones are on their way.
    assert!(large.unwrap() >= 3, "{order:?}");
}

#[tokio::test]
async fn a_sender_is_never_further_ahead_of_its_reader_than_the_window() {
    const ITEM: u32 = 1_000;
    let (serving, works) = serve("mem://ahead", Limits::default()).await;
    let client = client(&serving, Limits::default()).await;
    let window = u64::from(Limits::default().stream_window);
    let mut items = client.endless(ITEM).start();
    for taken in 1..=500 {
        items.next().await.unwrap().unwrap();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let ahead = works.made.load(Ordering::SeqCst) - taken;
        // One more is made before it is known that there is no room for it.
        assert!(
            ahead <= window / u64::from(ITEM) + 1,
            "{ahead} items after {taken}"
        );
    }
}

#[tokio::test]
async fn readers_that_are_slow_hold_up_nobody_else() {
    let (serving, _) = serve("tcp://127.0.0.1:0", Limits::default()).await;
    let client = client(&serving, Limits::default()).await;
    // Three of them keep three quarters of the connection's window.
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut items = client.endless(1_000).start();
        items.next().await.unwrap().unwrap();
        slow.push(items);
    }
    let sizes = vec![50_000; 100];
    assert_eq!(all(client.blobs(sizes).start()).await.len(), 100);
    assert_eq!(all(client.count(200_000).start()).await.len(), 200_000);
    assert_eq!(client.small(1).await.unwrap(), 2);
    for items in &mut slow {
        items.next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn dropping_a_stream_drops_it_at_the_other_end() {
    for address in addresses("drop") {
        let (serving, works) = serve(&address, Limits::default()).await;
        let client = client(&serving, Limits::default()).await;
        for bytes in [10, 1 << 20] {
            let mut items = client.endless(bytes).start();
            items.next().await.unwrap().unwrap();
            drop(items);
            timeout(LONG, works.gone.notified()).await.unwrap();
        }
        let gone = Arc::new(Notify::new());
        let guard = Gone(gone.clone());
        let endless = stream::iter((0..).map(move |_: u32| {
            let _ = &guard;
            blob(10)
        }));
        let call = client.lengths(String::new(), endless).no_timeout().start();
        while works.read.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        drop(call);
        timeout(LONG, gone.notified()).await.unwrap();
        assert_eq!(client.small(1).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_task_that_reads_on_after_the_answer_is_told_that_the_call_is_over() {
    let (serving, works) = serve("tcp://127.0.0.1:0", Limits::default()).await;
    let client = client(&serving, Limits::default()).await;
    let (_say, silent) = stream::pipe(1);
    assert_eq!(client.leave(silent).await.unwrap(), 1);
    timeout(LONG, works.left.notified())
        .await
        .expect("the reader waits for ever");
}

#[tokio::test]
async fn what_breaks_a_stream_is_its_last_item() {
    let (mut serving, _) = serve("tcp://127.0.0.1:0", Limits::default()).await;
    let client = client(&serving, Limits::default()).await;
    let mut items = client.panics(2).start();
    assert_eq!(items.next().await.unwrap().unwrap(), 0);
    assert_eq!(items.next().await.unwrap().unwrap(), 1);
    let error = items.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    assert!(items.next().await.is_none());

    let broken = stream::iter((0..).map(|number: u32| {
        assert!(number < 3, "no more");
        blob(number)
    }));
    let error = client.lengths(String::new(), broken).await.unwrap_err();
    assert!(error.to_string().contains("no more"), "{error}");

    let mut late = client
        .endless(10)
        .timeout(Duration::from_millis(50))
        .start();
    let error = loop {
        match timeout(LONG, late.next()).await.unwrap().unwrap() {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");

    let mut cut = client.endless(10).start();
    cut.next().await.unwrap().unwrap();
    let _ = serving.shutdown(Duration::ZERO).await;
    let error = loop {
        match timeout(LONG, cut.next()).await.unwrap() {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("a stream that was cut off looks complete"),
        }
    };
    assert!(matches!(error, CallError::Failed(_)), "{error}");
}

#[tokio::test]
async fn an_item_larger_than_the_reader_takes_breaks_its_stream_and_no_other() {
    let limits = Limits {
        max_message_bytes: 1 << 20,
        ..Limits::default()
    };
    let (serving, _) = serve("tcp://127.0.0.1:0", limits.clone()).await;
    let client = client(&serving, limits).await;
    for _ in 0..5 {
        let mut items = client.blobs(vec![10, 2 << 20]).start();
        assert_eq!(items.next().await.unwrap().unwrap().len(), 10);
        let error = items.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
        let came = client.lengths(String::new(), uploaded(&[10, 2 << 20]));
        let error = timeout(LONG, came.into_future())
            .await
            .unwrap()
            .unwrap_err();
        assert!(error.to_string().contains("1048576"), "{error}");
    }
    let sizes = vec![60_000; 50];
    assert_eq!(all(client.blobs(sizes.clone()).start()).await.len(), 50);
    let came = client.lengths(String::new(), uploaded(&sizes)).await;
    assert_eq!(came.unwrap(), lengths(0, &sizes));
}

#[tokio::test(start_paused = true)]
async fn a_skeleton_of_this_process_streams_after_any_pause() {
    let works = Works::default();
    let client = PipesClient::new(Channel::local(PipesService::new(works)));
    for _ in 0..3 {
        assert_eq!(all(client.count(3).start()).await, [0, 1, 2]);
        let came = client.lengths("ann".into(), uploaded(&SIZES)).await;
        assert_eq!(came.unwrap(), lengths(3, &SIZES));
        // Longer than a connection may be idle.
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
}
