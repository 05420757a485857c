//! A server that calls its client in the middle of a call, to any depth that the limits allow.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_runtime::{
    Channel, Context, ErrorKind, Items, Limits, Server, Serving, Stream, rpc_service, stream,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

/// Nothing in these tests waits on purpose; what takes this long hangs.
const LONG: Duration = Duration::from_secs(60);

#[rpc_service(package = "test.back.v1")]
trait Near {
    async fn name(&self) -> String;
    #[rpc(oneway)]
    async fn note(&self, text: String);
    async fn down(&self, depth: u32, context: &Context) -> Result<u32, String>;
    fn numbers(&self, to: u64) -> impl Stream<Item = u64>;
    async fn sum(&self, numbers: Items<u64>) -> u64;
    async fn swap(&self, bytes: Vec<u8>) -> Vec<u8>;
    async fn hang(&self);
}

#[rpc_service(package = "test.back.v1")]
trait Far {
    /// Calls the caller in this way.
    async fn ask(&self, way: String, context: &Context) -> Result<String, String>;
    async fn up(&self, depth: u32, context: &Context) -> Result<u32, String>;
    async fn swap(&self, bytes: Vec<u8>, context: &Context) -> Vec<u8>;
    /// Calls after the connection of the call is gone, and keeps what comes of it.
    async fn later(&self, context: &Context);
    async fn hang_there(&self, context: &Context);
}

#[derive(Clone, Default)]
struct Here {
    notes: Arc<Mutex<Vec<String>>>,
    noted: Arc<Notify>,
    gone: Arc<Notify>,
}

struct Gone(Arc<Notify>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Near for Here {
    async fn name(&self) -> String {
        "near".into()
    }
    async fn note(&self, text: String) {
        self.notes.lock().unwrap().push(text);
        self.noted.notify_one();
    }
    async fn down(&self, depth: u32, context: &Context) -> Result<u32, String> {
        if depth == 0 {
            return Ok(0);
        }
        let far = FarClient::new(context.caller().unwrap());
        Ok(far.up(depth - 1).await.map_err(text)? + 1)
    }
    fn numbers(&self, to: u64) -> impl Stream<Item = u64> {
        stream::iter(0..to)
    }
    async fn sum(&self, mut numbers: Items<u64>) -> u64 {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            sum += number.unwrap();
        }
        sum
    }
    async fn swap(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
    async fn hang(&self) {
        let _gone = Gone(self.gone.clone());
        self.noted.notify_one();
        std::future::pending().await
    }
}

#[derive(Clone, Default)]
struct There {
    later: Arc<Mutex<Option<rpc_runtime::Error>>>,
    done: Arc<Notify>,
}

impl Far for There {
    async fn ask(&self, way: String, context: &Context) -> Result<String, String> {
        let near = NearClient::new(context.caller().ok_or("no caller")?);
        match &*way {
            "await" => near.name().await.map_err(text),
            "start" => near.name().start().await.map_err(text),
            "callback" => {
                let (say, mut heard) = mpsc::unbounded_channel();
                let _callback = near.name().on_reply(move |name| say.send(name).unwrap());
                heard.recv().await.unwrap().map_err(text)
            }
            "one-way" => {
                near.note("from afar".into()).await.map_err(text)?;
                Ok("near".into())
            }
            "batch" => {
                let (one, two) = (near.name().start(), near.name().start());
                two.await.map_err(text)?;
                one.await.map_err(text)
            }
            "stream" => {
                let (mut numbers, mut count) = (near.numbers(1_000).start(), 0);
                while let Some(number) = numbers.next().await {
                    assert_eq!(number.map_err(text)?, count);
                    count += 1;
                }
                Ok(if count == 1_000 { "near" } else { "short" }.into())
            }
            "upload" => {
                let sum = near.sum(stream::iter(0..1_000)).await.map_err(text)?;
                Ok(if sum == 499_500 { "near" } else { "short" }.into())
            }
            _ => Err(way),
        }
    }
    async fn up(&self, depth: u32, context: &Context) -> Result<u32, String> {
        if depth == 0 {
            return Ok(0);
        }
        let near = NearClient::new(context.caller().unwrap());
        Ok(near.down(depth - 1).await.map_err(text)? + 1)
    }
    async fn swap(&self, bytes: Vec<u8>, context: &Context) -> Vec<u8> {
        let near = NearClient::new(context.caller().unwrap());
        near.swap(bytes).await.unwrap()
    }
    async fn later(&self, context: &Context) {
        let (caller, there) = (context.caller().unwrap(), self.clone());
        tokio::spawn(async move {
            let near = NearClient::new(caller);
            let error = loop {
                match near.name().await {
                    Ok(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                    Err(rpc_runtime::CallError::Failed(error)) => break error,
                    Err(other) => panic!("{other}"),
                }
            };
            *there.later.lock().unwrap() = Some(error);
            there.done.notify_one();
        });
    }
    async fn hang_there(&self, context: &Context) {
        let near = NearClient::new(context.caller().unwrap());
        near.hang().no_timeout().await.unwrap()
    }
}

async fn serve(address: &str, limits: Limits) -> (Serving, There) {
    let there = There::default();
    let serving = Server::new()
        .limits(limits)
        .add(FarService::new(there.clone()))
        .listen(address)
        .await
        .unwrap();
    (serving, there)
}

async fn connect(address: &str, here: &Here, limits: Limits) -> FarClient {
    let builder = Channel::builder()
        .limits(limits)
        .export(NearService::new(here.clone()));
    FarClient::new(builder.connect(address).await.unwrap())
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
async fn a_server_calls_its_client_in_every_way() {
    for address in addresses("every-way") {
        let (serving, _) = serve(&address, Limits::default()).await;
        let here = Here::default();
        let client = connect(serving.address(), &here, Limits::default()).await;
        for way in [
            "await", "start", "callback", "one-way", "batch", "stream", "upload",
        ] {
            let asked = timeout(LONG, client.ask(way.into()).into_future());
            assert_eq!(asked.await.expect(way).unwrap(), "near", "{way}");
        }
        here.noted.notified().await;
        assert_eq!(*here.notes.lock().unwrap(), ["from afar"]);
    }
}

#[tokio::test]
async fn calls_back_and_forth_reach_depth_64() {
    for address in addresses("depth") {
        let (serving, _) = serve(&address, Limits::default()).await;
        let client = connect(serving.address(), &Here::default(), Limits::default()).await;
        let deep = timeout(LONG, client.up(64).into_future()).await;
        assert_eq!(deep.expect("the chain hangs").unwrap(), 64);
    }
}

#[tokio::test]
async fn a_chain_that_finds_no_room_ends_with_a_refusal() {
    for address in addresses("no-room") {
        let limits = Limits {
            max_inflight_per_connection: 1,
            ..Limits::default()
        };
        let (serving, _) = serve(&address, limits.clone()).await;
        let client = connect(serving.address(), &Here::default(), limits).await;
        assert_eq!(client.up(1).await.unwrap(), 1);
        let deep = timeout(LONG, client.up(10).no_timeout().into_future()).await;
        let error = deep.expect("the chain hangs").unwrap_err().to_string();
        assert!(error.contains("resource_exhausted"), "{error}");
        assert_eq!(client.up(1).await.unwrap(), 1, "the places are free again");
    }
}

#[tokio::test]
async fn both_sides_write_ten_mebibytes_at_once() {
    for address in addresses("both") {
        let (serving, _) = serve(&address, Limits::default()).await;
        let client = connect(serving.address(), &Here::default(), Limits::default()).await;
        let swap = |byte: u8| {
            let client = client.clone();
            async move {
                let bytes = vec![byte; 10 << 20];
                let back = client.swap(bytes.clone()).no_timeout().await.unwrap();
                assert!(back == bytes);
            }
        };
        let all = async { tokio::join!(swap(1), swap(2)) };
        timeout(LONG, all)
            .await
            .expect("both sides wait for each other");
    }
}

#[tokio::test]
async fn a_client_that_exports_nothing_says_so() {
    let (serving, _) = serve("tcp://127.0.0.1:0", Limits::default()).await;
    let client = FarClient::connect(serving.address()).await.unwrap();
    let error = client.ask("await".into()).await.unwrap_err().to_string();
    assert!(error.contains("exports no services"), "{error}");
    let address = serving.address().to_owned();
    let blocking = tokio::task::spawn_blocking(move || {
        let client = FarBlockingClient::connect(&address).unwrap();
        client.ask("await".into()).unwrap_err().to_string()
    });
    let error = timeout(LONG, blocking).await.unwrap().unwrap();
    assert!(error.contains("serves nothing"), "{error}");
}

#[tokio::test]
async fn whoever_calls_a_caller_that_is_gone_is_told() {
    let (serving, there) = serve("tcp://127.0.0.1:0", Limits::default()).await;
    let client = connect(serving.address(), &Here::default(), Limits::default()).await;
    client.later().await.unwrap();
    drop(client);
    timeout(LONG, there.done.notified()).await.unwrap();
    let error = there.later.lock().unwrap().take().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn cancelling_a_call_reaches_what_it_called_back() {
    let (serving, _) = serve("tcp://127.0.0.1:0", Limits::default()).await;
    let here = Here::default();
    let client = connect(serving.address(), &here, Limits::default()).await;
    let pending = client.hang_there().no_timeout().start();
    timeout(LONG, here.noted.notified()).await.unwrap();
    drop(pending);
    timeout(LONG, here.gone.notified()).await.unwrap();
}

#[tokio::test]
async fn a_client_exports_on_every_connection_that_it_makes() {
    // A name of this process: a port might be somebody else's by the time of the second server.
    let (mut first, _) = serve("mem://again", Limits::default()).await;
    let address = first.address().to_owned();
    let here = Here::default();
    let client = connect(&address, &here, Limits::default()).await;
    assert_eq!(client.ask("await".into()).await.unwrap(), "near");
    let _ = first.shutdown(Duration::ZERO).await;
    drop(first);
    let (_second, _) = serve(&address, Limits::default()).await;
    let again = async {
        loop {
            match client.ask("await".into()).await {
                Ok(name) => break name,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    assert_eq!(timeout(LONG, again).await.unwrap(), "near");
}

#[tokio::test]
async fn a_balanced_channel_exports_to_every_instance() {
    let (one, _) = serve("tcp://127.0.0.1:0", Limits::default()).await;
    let (two, _) = serve("tcp://127.0.0.1:0", Limits::default()).await;
    let host = |serving: &Serving| serving.address().replace("tcp://", "");
    let list = format!("list://{},{}", host(&one), host(&two));
    let client = connect(&list, &Here::default(), Limits::default()).await;
    for _ in 0..10 {
        assert_eq!(client.ask("await".into()).await.unwrap(), "near");
    }
}
