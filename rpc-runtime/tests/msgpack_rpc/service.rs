//! What is served in these tests, and messages by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rpc_runtime::codec::{Decode, Encode, Reader, check_prefix};
use rpc_runtime::{
    Context, DeclaredError, Handle, Items, Limits, Server, Serving, Status, Stream, Value,
    rpc_service,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing in these tests waits on purpose; what takes this long hangs.
pub(crate) const LONG: Duration = Duration::from_secs(20);

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct OutOfStock {
    pub(crate) left: u32,
}

impl fmt::Display for OutOfStock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "only {} pieces are left", self.left)
    }
}

impl std::error::Error for OutOfStock {}

impl DeclaredError for OutOfStock {
    fn status(&self) -> Status {
        Status::FailedPrecondition
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Plain {
    Closed,
    Later { minutes: u32 },
}

#[rpc_service]
pub(crate) trait Calculator {
    async fn add(&self, a: i64, b: i64) -> i64;
    async fn echo(&self, value: Value) -> Value;
    async fn greet(&self, name: String, polite: Option<bool>) -> String;
    async fn divide(&self, a: f64, b: f64) -> Result<f64, String>;
    async fn take(&self, count: u32) -> Result<u32, OutOfStock>;
    async fn plain(&self, later: bool) -> Result<u32, Plain>;
    async fn panics(&self);
    async fn never(&self);
    async fn later(&self, ms: u64) -> u64;
    async fn blob(&self, size: u64) -> String;
    async fn who(&self, context: &Context) -> String;
    fn sync(&self, text: String) -> String;
    #[rpc(oneway)]
    async fn note(&self, text: String);
    async fn notes(&self) -> Vec<String>;
    async fn peek(&self) -> BTreeMap<String, u32>;
    async fn ask_back(&self, context: &Context, text: String) -> Result<Value, String>;
}

/// What Neovim answers, by whichever side of the connection it is asked.
#[rpc_service]
pub(crate) trait Neovim {
    async fn nvim_call_function(&self, name: String, args: Vec<Value>) -> Value;
}

/// What MessagePack-RPC cannot carry.
#[rpc_service]
pub(crate) trait Flow {
    async fn ticks(&self, count: u32) -> impl Stream<Item = u32>;
    async fn collect(&self, items: Items<u32>) -> u32;
    async fn counter(&self) -> Handle<CalculatorClient>;
    async fn plain_text(&self) -> String;
}

pub(crate) struct Flowing;

impl Flow for Flowing {
    async fn ticks(&self, count: u32) -> impl Stream<Item = u32> {
        rpc_runtime::stream::iter(0..count)
    }
    async fn collect(&self, _: Items<u32>) -> u32 {
        0
    }
    async fn counter(&self) -> Handle<CalculatorClient> {
        Handle::new(CalculatorService::new(Desk::default()))
    }
    async fn plain_text(&self) -> String {
        "plain".to_owned()
    }
}

#[derive(Clone, Default)]
pub(crate) struct Desk {
    pub(crate) running: Arc<AtomicUsize>,
    pub(crate) most: Arc<AtomicUsize>,
    pub(crate) notes: Arc<Mutex<Vec<String>>>,
    pub(crate) blobs: Arc<AtomicUsize>,
}

struct Running<'a>(&'a Desk);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Calculator for Desk {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }
    async fn echo(&self, value: Value) -> Value {
        value
    }
    async fn greet(&self, name: String, polite: Option<bool>) -> String {
        match polite {
            Some(true) => format!("Good day, {name}."),
            _ => format!("Hi {name}!"),
        }
    }
    async fn divide(&self, a: f64, b: f64) -> Result<f64, String> {
        if b == 0.0 {
            return Err(format!("{a} cannot be divided by zero"));
        }
        Ok(a / b)
    }
    async fn take(&self, count: u32) -> Result<u32, OutOfStock> {
        Err(OutOfStock { left: count / 2 })
    }
    async fn plain(&self, later: bool) -> Result<u32, Plain> {
        Err(if later {
            Plain::Later { minutes: 5 }
        } else {
            Plain::Closed
        })
    }
    async fn panics(&self) {
        panic!("a secret of the server")
    }
    async fn never(&self) {
        let running = self.running.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(running, SeqCst);
        let _running = Running(self);
        std::future::pending().await
    }
    async fn later(&self, ms: u64) -> u64 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        ms
    }
    async fn blob(&self, size: u64) -> String {
        self.blobs.fetch_add(1, SeqCst);
        "x".repeat(size as usize)
    }
    async fn who(&self, context: &Context) -> String {
        format!(
            "{} {:?} {}",
            context.peer(),
            context.time_left(),
            context.metadata().is_empty()
        )
    }
    fn sync(&self, text: String) -> String {
        text.to_uppercase()
    }
    async fn note(&self, text: String) {
        self.notes.lock().unwrap().push(text);
    }
    async fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
    async fn peek(&self) -> BTreeMap<String, u32> {
        BTreeMap::from([("a".to_owned(), 1)])
    }
    async fn ask_back(&self, context: &Context, text: String) -> Result<Value, String> {
        let caller = NeovimClient::new(context.caller().expect("there is a connection"));
        let answer = caller.nvim_call_function("Heading".to_owned(), vec![Value::from(text)]);
        answer.await.map_err(|failure| failure.to_string())
    }
}

/// A server of [`Desk`] on a free port, with what it keeps.
pub(crate) async fn serve() -> (Serving, Desk) {
    serve_with(Server::new(), Limits::default()).await
}

pub(crate) async fn serve_with(server: Server, limits: Limits) -> (Serving, Desk) {
    let desk = Desk::default();
    let serving = server
        .limits(limits)
        .add(CalculatorService::new(desk.clone()))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    (serving, desk)
}

/// A peer that writes its messages by hand.
pub(crate) struct Hand {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

impl Hand {
    pub(crate) async fn connect(address: &str) -> Self {
        let host = address.rsplit("://").next().unwrap();
        Self::new(TcpStream::connect(host).await.unwrap())
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        // Where time is paused, real time must not matter: each byte leaves at once.
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            received: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        timeout(LONG, self.stream.write_all(bytes))
            .await
            .expect("the peer takes what is sent")
            .unwrap();
    }

    /// The next message as a value; `None` when the peer has closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(length) = check_prefix(&self.received, &Default::default()).unwrap()
                && !self.received.is_empty()
            {
                let message: Vec<u8> = self.received.drain(..length).collect();
                return Some(Value::decode(&mut Reader::new(&message)).unwrap());
            }
            let mut chunk = [0; 4096];
            match timeout(LONG, self.stream.read(&mut chunk))
                .await
                .expect("an answer or the end")
            {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// Sends a request and gives error and result of its answer.
    pub(crate) async fn ask(
        &mut self,
        id: u64,
        method: &str,
        params: Vec<Value>,
    ) -> (Value, Value) {
        self.send(&request(id, method, params)).await;
        self.answer(id).await
    }

    /// Error and result of the next message, which must be the answer to `id`.
    pub(crate) async fn answer(&mut self, id: u64) -> (Value, Value) {
        match self.next().await {
            Some(Value::Array(mut parts)) if parts.len() == 4 => {
                assert_eq!(parts[0], Value::from(1), "{parts:?}");
                assert_eq!(parts[1], Value::from(id), "{parts:?}");
                let result = parts.pop().unwrap();
                (parts.pop().unwrap(), result)
            }
            other => panic!("no answer to {id}: {other:?}"),
        }
    }

    /// The text of the error that the next answer must be.
    pub(crate) async fn error(&mut self, id: u64) -> String {
        let (error, result) = self.answer(id).await;
        assert_eq!(result, Value::Nil);
        text(error)
    }
}

pub(crate) fn text(value: Value) -> String {
    match value {
        Value::Str(text) => text,
        other => panic!("no text: {other:?}"),
    }
}

pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

pub(crate) fn request(id: u64, method: &str, params: Vec<Value>) -> Vec<u8> {
    encode(&Value::from(vec![
        Value::from(0),
        Value::from(id),
        Value::from(method),
        Value::from(params),
    ]))
}

pub(crate) fn notification(method: &str, params: Vec<Value>) -> Vec<u8> {
    encode(&Value::from(vec![
        Value::from(2),
        Value::from(method),
        Value::from(params),
    ]))
}
