//! The client: generated stubs on peers that speak MessagePack-RPC.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rpc_runtime::msgpack_rpc::Spelling;
use rpc_runtime::{Channel, ErrorKind, Execution, Limits, Server, Token, Value, rpc_service};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::service::{
    Calculator as _, CalculatorClient, CalculatorService, Desk, Hand, LONG, encode, notification,
    request, serve, serve_with, text,
};

/// A peer by hand that waits for one connection after another.
struct Peer {
    listener: TcpListener,
    address: String,
}

impl Peer {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("msgpack-rpc+tcp://{}", listener.local_addr().unwrap());
        Self { listener, address }
    }

    async fn accept(&self) -> Hand {
        let accepted = timeout(LONG, self.listener.accept()).await;
        Hand::new(accepted.expect("a connection").unwrap().0)
    }
}

fn answer(id: u64, error: Value, result: Value) -> Vec<u8> {
    encode(&Value::from(vec![
        Value::from(1),
        Value::from(id),
        error,
        result,
    ]))
}

/// ID, method and parameters of the next message, which must be a request.
async fn asked(hand: &mut Hand) -> (u64, String, Value) {
    let Some(Value::Array(mut parts)) = hand.next().await else {
        panic!("no request");
    };
    let params = parts.pop().unwrap();
    let method = text(parts.pop().unwrap());
    match &parts[..] {
        [Value::Int(0), Value::Int(id)] => (*id as u64, method, params),
        other => panic!("no request: {other:?}"),
    }
}

#[tokio::test]
async fn a_generated_client_calls_by_name() {
    let (serving, desk) = serve().await;
    let address = format!("msgpack-rpc+{}", serving.address());
    let client = CalculatorClient::connect(&address).await.unwrap();
    assert_eq!(client.add(40, 2).await.unwrap(), 42);
    assert_eq!(client.sync("loud".into()).await.unwrap(), "LOUD");
    let value = Value::from(vec![Value::Ext(5, vec![1, 2]), Value::from("ä")]);
    assert_eq!(client.echo(value.clone()).await.unwrap(), value);
    client.note("gone".into()).await.unwrap();
    assert_eq!(client.notes().await.unwrap(), ["gone"]);
    assert_eq!(*desk.notes.lock().unwrap(), ["gone"]);
    assert_eq!(client.peek().await.unwrap()["a"], 1);
}

#[tokio::test]
async fn the_methods_of_a_peer_may_be_spelt_in_every_way() {
    let peer = Peer::new().await;
    let service = CalculatorClient::SERVICE.name;
    let cases = [
        ("", "add".to_owned()),
        ("?spelling=method", "add".to_owned()),
        ("?spelling=Service/method", "Calculator/add".to_owned()),
        ("?spelling=Service.method", "Calculator.add".to_owned()),
        ("?spelling=package.Service/method", format!("{service}/add")),
        ("?spelling=package.Service.method", format!("{service}.add")),
    ];
    for (query, expected) in cases {
        let client = CalculatorClient::connect(&format!("{}{query}", peer.address))
            .await
            .unwrap();
        let call = client.add(1, 2).start();
        let mut hand = peer.accept().await;
        let (id, method, params) = asked(&mut hand).await;
        assert_eq!(method, expected);
        assert_eq!(params, Value::from(vec![Value::from(1), Value::from(2)]));
        hand.send(&answer(id, Value::Nil, Value::from(3))).await;
        assert_eq!(call.await.unwrap(), 3);
    }
    let tcp = peer.address.strip_prefix("msgpack-rpc+").unwrap();
    let client: CalculatorClient = Channel::builder()
        .msgpack_rpc_spelling(Spelling::ServiceDot)
        .client(tcp)
        .await
        .unwrap();
    let call = client.add(1, 2).start();
    let mut hand = peer.accept().await;
    assert_eq!(asked(&mut hand).await.1, "Calculator.add");
    drop(call);
    let wrong = Channel::connect(format!("{tcp}?spelling=Service.method")).await;
    let wrong = wrong.expect_err("tcp:// has no spelling").to_string();
    assert!(wrong.contains("put `msgpack-rpc+` before"), "{wrong}");
}

#[tokio::test]
async fn every_form_of_error_is_readable_and_the_call_was_executed() {
    let peer = Peer::new().await;
    let client = CalculatorClient::connect(&peer.address).await.unwrap();
    let mut hand = peer.accept().await;
    let pair = vec![Value::from(0), Value::from("Invalid method: add")];
    let cases = [
        (Value::from("it broke"), "it broke"),
        (Value::from(pair), "Invalid method: add (code 0)"),
        (Value::from(vec![Value::Bool(true)]), "[true]"),
        (Value::from("two\nlines"), "two lines"),
    ];
    for (error, expected) in cases {
        let call = client.add(1, 2).start();
        let (id, ..) = asked(&mut hand).await;
        hand.send(&answer(id, error, Value::Nil)).await;
        let failure = call.await.expect_err("the peer says so");
        assert_eq!(failure.kind(), ErrorKind::Unknown);
        assert_eq!(failure.execution(), Execution::Executed);
        assert!(failure.to_string().contains(expected), "{failure:?}");
    }
    // A result of another type than the definition says.
    let call = client.add(1, 2).start();
    let (id, ..) = asked(&mut hand).await;
    hand.send(&answer(id, Value::Nil, Value::from("three")))
        .await;
    let failure = call.await.expect_err("a string is no i64");
    assert_eq!(failure.kind(), ErrorKind::DataLoss);
}

#[tokio::test]
async fn late_answers_and_answers_to_nothing_are_ignored() {
    let peer = Peer::new().await;
    let client = CalculatorClient::connect(&peer.address).await.unwrap();
    let mut hand = peer.accept().await;
    let late = client.add(1, 2).timeout(Duration::from_millis(20));
    let failure = late.await.expect_err("nobody answers");
    assert_eq!(failure.kind(), ErrorKind::DeadlineExceeded);
    let (first, ..) = asked(&mut hand).await;
    let dropped = client.add(3, 4).start();
    let (second, ..) = asked(&mut hand).await;
    drop(dropped);
    let call = client.add(5, 6).start();
    let (third, ..) = asked(&mut hand).await;
    for id in [first, second, 4_000_000_000, u64::MAX, third] {
        hand.send(&answer(id, Value::Nil, Value::from(11))).await;
    }
    hand.send(&answer(third, Value::Nil, Value::from(12))).await;
    assert_eq!(call.await.unwrap(), 11);
}

#[tokio::test(start_paused = true)]
async fn calls_that_were_given_up_leave_room_for_others() {
    let peer = Peer::new().await;
    let limits = Limits {
        max_inflight_per_connection: 4,
        ..Limits::default()
    };
    let client: CalculatorClient = Channel::builder()
        .limits(limits)
        .client(&peer.address)
        .await
        .unwrap();
    let _hand = peer.accept().await;
    for _ in 0..20 {
        let failure = client
            .never()
            .timeout(Duration::from_secs(1))
            .await
            .expect_err("nobody answers");
        assert_eq!(failure.execution(), Execution::Unknown, "it was sent");
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again() {
    let peer = Peer::new().await;
    let client = CalculatorClient::connect(&peer.address).await.unwrap();
    let mut hand = peer.accept().await;
    let call = client.add(1, 2).start();
    asked(&mut hand).await;
    drop(hand);
    let failure = call.await.expect_err("the peer has gone");
    assert_eq!(failure.kind(), ErrorKind::Unavailable);
    assert_eq!(failure.execution(), Execution::Unknown);
    let call = client.add(1, 2).start();
    let mut hand = peer.accept().await;
    let (id, ..) = asked(&mut hand).await;
    hand.send(&answer(id, Value::Nil, Value::from(3))).await;
    assert_eq!(call.await.unwrap(), 3);
}

#[tokio::test]
async fn a_peer_that_speaks_something_else_is_named() {
    let peer = Peer::new().await;
    for (said, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "the peer speaks HTTP"),
        (b"\x94\x07\x01\x02\x03", "message type 7 is not known"),
        (b"\x94\x01\xa1x\xc0\xc0", "message ID: "),
        (b"\x92\x01\x02", "an array of 3 or 4 values, this one has 2"),
        (b"\x94\x01\x01\xc0\xc1", "c1 is no MessagePack"),
        (b"\x94\x01\x01\xc0\xdb\xff\xff\xff\xff", "are allowed"),
    ] {
        let client = CalculatorClient::connect(&peer.address).await.unwrap();
        let mut hand = peer.accept().await;
        let call = client.add(1, 2).start();
        asked(&mut hand).await;
        hand.send(said).await;
        let failure = call.await.expect_err("that is no answer");
        assert_eq!(failure.execution(), Execution::Unknown);
        assert!(failure.to_string().contains(expected), "{failure:?}");
        assert_eq!(hand.next().await, None, "{failure:?}");
    }
    let refused = CalculatorClient::connect("msgpack-rpc+tcp://127.0.0.1:1").await;
    let refused = refused.expect_err("nobody is there").to_string();
    assert!(
        refused.contains("nobody listens on tcp://127.0.0.1:1"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_peer_may_call_what_the_client_exports_while_the_clients_call_is_open() {
    let peer = Peer::new().await;
    let desk = Desk::default();
    let client: CalculatorClient = Channel::builder()
        .export(CalculatorService::new(desk.clone()))
        .client(&peer.address)
        .await
        .unwrap();
    let mut hand = peer.accept().await;
    let call = client.add(1, 2).start();
    let (id, ..) = asked(&mut hand).await;
    // The same ID in the other direction is another call.
    let (error, result) = hand.ask(id, "sync", vec![Value::from("asked back")]).await;
    assert_eq!((error, result), (Value::Nil, Value::from("ASKED BACK")));
    hand.send(&notification("note", vec![Value::from("told")]))
        .await;
    let (_, notes) = hand.ask(9, "notes", vec![]).await;
    assert_eq!(notes, Value::from(vec![Value::from("told")]));
    let (error, _) = hand.ask(10, "notess", vec![]).await;
    assert!(text(error).contains("did you mean `notes`?"));
    hand.send(&answer(id, Value::Nil, Value::from(3))).await;
    assert_eq!(call.await.unwrap(), 3);
    assert_eq!(desk.notes().await, ["told"]);
}

#[tokio::test]
async fn a_server_that_keeps_its_door_shut_says_so_to_the_client() {
    let server = Server::new().msgpack_rpc(false);
    let (serving, _) = serve_with(server, Limits::default()).await;
    let address = format!("msgpack-rpc+{}", serving.address());
    let client = CalculatorClient::connect(&address).await.unwrap();
    let failure = client.add(1, 2).await.expect_err("the door is shut");
    let said = "this listener does not serve MessagePack-RPC";
    assert!(failure.to_string().contains(said), "{failure}");
}

#[tokio::test]
async fn what_cannot_be_written_is_not_sent() {
    // A value that serde refuses leaves a mark that is no MessagePack; the peer would be lost behind it.
    let peer = Peer::new().await;
    let client = OddClient::connect(&peer.address).await.unwrap();
    let mut hand = peer.accept().await;
    let failure = client
        .take(Unwritable)
        .await
        .expect_err("it cannot be written");
    assert_eq!(failure.kind(), ErrorKind::InvalidArgument);
    assert_eq!(failure.execution(), Execution::NotStarted);
    assert!(failure.to_string().contains("not today"), "{failure}");
    let call = client.fine(1).start();
    let (id, method, _) = asked(&mut hand).await;
    assert_eq!(method, "fine");
    hand.send(&answer(id, Value::Nil, Value::from(2))).await;
    assert_eq!(call.await.unwrap(), 2);

    let serving = Server::new()
        .add(OddService::new(OddOnes))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let mut hand = Hand::connect(serving.address()).await;
    hand.send(&request(1, "give", vec![])).await;
    let error = hand.error(1).await;
    assert!(error.contains("not today"), "{error}");
    let fine = hand.ask(2, "fine", vec![Value::from(1)]).await;
    assert_eq!(fine, (Value::Nil, Value::from(2)));
}

#[derive(serde::Deserialize)]
struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

#[rpc_service]
trait Odd {
    async fn take(&self, odd: Unwritable);
    async fn give(&self) -> Unwritable;
    async fn fine(&self, number: u32) -> u32;
}

struct OddOnes;

impl Odd for OddOnes {
    async fn take(&self, _: Unwritable) {}
    async fn give(&self) -> Unwritable {
        Unwritable
    }
    async fn fine(&self, number: u32) -> u32 {
        number + 1
    }
}

#[tokio::test]
async fn a_token_that_would_not_be_sent_is_told() {
    let peer = Peer::new().await;
    let channel = Channel::builder().token(Token::new("hunter2").unwrap());
    let failure = channel.connect(&peer.address).await.expect_err("no HELLO");
    let text = failure.to_string();
    assert!(
        text.contains("MessagePack-RPC has no place for a token"),
        "{text}"
    );
    assert!(!text.contains("hunter2"));
}

#[tokio::test]
async fn a_result_that_is_nested_too_deep_is_the_matter_of_one_call() {
    let peer = Peer::new().await;
    let client = CalculatorClient::connect(&peer.address).await.unwrap();
    let mut hand = peer.accept().await;
    let call = client.echo(Value::Nil).start();
    let (id, ..) = asked(&mut hand).await;
    let deep = [&[0x91; 100][..], &[0xc0]].concat();
    let front = [&[0x94, 1, id as u8, 0xc0][..], &deep].concat();
    hand.send(&front).await;
    let failure = call.await.expect_err("100 levels are too many");
    assert_eq!(failure.kind(), ErrorKind::DataLoss);
    let call = client.add(1, 2).start();
    let (id, ..) = asked(&mut hand).await;
    hand.send(&answer(id, Value::Nil, Value::from(3))).await;
    assert_eq!(call.await.unwrap(), 3);
}

#[tokio::test]
async fn large_parameters_and_results_travel_whole() {
    let (serving, _) = serve().await;
    let address = format!("msgpack-rpc+{}", serving.address());
    let client = CalculatorClient::connect(&address).await.unwrap();
    let large = Value::from(vec![0x5a_u8; 10 << 20]);
    let (echo, sum) = tokio::join!(client.echo(large.clone()), client.add(1, 2));
    assert_eq!(sum.unwrap(), 3);
    assert!(echo.unwrap() == large, "what comes back is what was sent");
}

#[tokio::test]
async fn a_client_that_exports_nothing_says_so() {
    let peer = Peer::new().await;
    let client = CalculatorClient::connect(&peer.address).await.unwrap();
    let mut hand = peer.accept().await;
    hand.send(&request(1, "sync", vec![])).await;
    let error = hand.error(1).await;
    assert_eq!(error, "there is no method `sync` here; nothing is served");
    drop(client);
    assert_eq!(hand.next().await, None);
}

#[rpc_service]
trait Ticker {
    async fn count(&self) -> u64;
}

struct Count(AtomicUsize);

impl Ticker for Count {
    async fn count(&self) -> u64 {
        self.0.fetch_add(1, SeqCst) as u64
    }
}

#[tokio::test]
async fn two_clients_may_share_a_channel_to_one_peer() {
    let serving = Server::new()
        .add(TickerService::new(Count(AtomicUsize::new(5))))
        .add(CalculatorService::new(Desk::default()))
        .listen("mem://msgpack-rpc-shared")
        .await
        .unwrap();
    let address = format!("msgpack-rpc+{}", serving.address());
    let channel = Channel::connect(&address).await.unwrap();
    let ticker = TickerClient::new(channel.clone());
    let calculator = CalculatorClient::new(channel);
    let (count, sum) = tokio::join!(ticker.count(), calculator.add(1, 1));
    assert_eq!((count.unwrap(), sum.unwrap()), (5, 2));
}

#[test]
fn the_blocking_client_says_that_it_does_not_speak_it() {
    let error = crate::service::CalculatorBlockingClient::connect("msgpack-rpc+tcp://127.0.0.1:1")
        .expect_err("it is not for this client");
    let text = error.to_string();
    assert!(text.contains("use the asynchronous client"), "{text}");
}

#[tokio::test]
async fn a_server_is_told_that_its_address_needs_no_prefix() {
    let error = Server::new().listen("msgpack-rpc+tcp://127.0.0.1:0").await;
    let text = error.expect_err("a client's address").to_string();
    assert!(text.contains("here write `tcp://127.0.0.1:0`"), "{text}");
}
