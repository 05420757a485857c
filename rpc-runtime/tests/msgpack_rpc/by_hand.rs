//! The server, by messages written by hand.

use std::sync::atomic::Ordering::SeqCst;

use rpc_runtime::msgpack_rpc::ErrorForm;
use rpc_runtime::{Error, ErrorKind, Execution, Identity, Limits, Login, Rule, Server, Value};

use crate::service::{
    CalculatorClient, FlowClient, FlowService, Flowing, Hand, encode, notification, request, serve,
    serve_with, text,
};

#[tokio::test]
async fn every_spelling_of_a_method_is_answered() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    let service = CalculatorClient::SERVICE.name;
    let spellings = [
        "add".to_owned(),
        "Calculator/add".to_owned(),
        "Calculator.add".to_owned(),
        format!("{service}/add"),
        format!("{service}.add"),
    ];
    for (id, spelling) in (0..).zip(spellings) {
        let params = vec![Value::from(2), Value::from(3)];
        let answer = hand.ask(id, &spelling, params).await;
        assert_eq!(answer, (Value::Nil, Value::from(5)), "{spelling}");
    }
}

#[tokio::test]
async fn bytes_of_a_call_and_its_answer_are_these() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    hand.send(b"\x94\x00\x07\xa3add\x92\x02\x03").await;
    let mut answer = [0; 5];
    tokio::io::AsyncReadExt::read_exact(&mut hand.stream, &mut answer)
        .await
        .unwrap();
    assert_eq!(answer, *b"\x94\x01\x07\xc0\x05");
}

#[tokio::test]
async fn a_method_may_be_binary_and_ids_may_be_of_any_size() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    hand.send(b"\x94\x00\x00\xc4\x03add\x92\x02\x03").await;
    assert_eq!(hand.answer(0).await, (Value::Nil, Value::from(5)));
    for id in [0, 1, u64::from(u32::MAX), u64::MAX] {
        let answer = hand.ask(id, "sync", vec![Value::from("loud")]).await;
        assert_eq!(answer, (Value::Nil, Value::from("LOUD")));
    }
    // The other forms of the same array, and of its numbers.
    hand.send(b"\xdc\x00\x04\xcc\x00\xcd\x00\x09\xd9\x03add\xdd\x00\x00\x00\x02\x02\x03")
        .await;
    assert_eq!(hand.answer(9).await, (Value::Nil, Value::from(5)));
}

#[tokio::test]
async fn parameters_go_by_order_by_name_or_not_at_all() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    let named = encode(&Value::from(vec![
        Value::from(0),
        Value::from(1),
        Value::from("greet"),
        Value::from(vec![
            (Value::from("polite"), Value::from(true)),
            (Value::from("name"), Value::from("Ada")),
        ]),
    ]));
    hand.send(&named).await;
    assert_eq!(
        hand.answer(1).await,
        (Value::Nil, Value::from("Good day, Ada."))
    );
    let answer = hand.ask(2, "greet", vec![Value::from("Bob")]).await;
    assert_eq!(answer, (Value::Nil, Value::from("Hi Bob!")));
    hand.send(b"\x94\x00\x03\xa5notes\xc0").await;
    assert_eq!(hand.answer(3).await, (Value::Nil, Value::Array(vec![])));
    let (error, _) = hand.ask(4, "greet", vec![]).await;
    assert!(
        text(error).contains("parameter 1, `name`, is missing"),
        "what is missing is named"
    );
    hand.send(b"\x94\x00\x05\xa5greet\x2a").await;
    let error = hand.error(5).await;
    assert!(error.contains("expected an array"), "{error}");
}

#[tokio::test]
async fn errors_are_texts_that_say_what_happened() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    let cases: [(&str, Vec<Value>, &str); 8] = [
        (
            "divide",
            vec![Value::from(1.0), Value::from(0.0)],
            "1 cannot be divided by zero",
        ),
        ("take", vec![Value::from(8)], "only 4 pieces are left"),
        ("plain", vec![Value::from(false)], "Closed"),
        ("plain", vec![Value::from(true)], "{\"Later\": [5]}"),
        (
            "panics",
            vec![],
            "the handler of Calculator/panics panicked; the server's log says why",
        ),
        (
            "ad",
            vec![],
            "there is no method `ad` here; did you mean `add`?",
        ),
        (
            "add",
            vec![Value::from("x"), Value::from(1)],
            "expected an integer, found a string",
        ),
        ("Calculater.add", vec![], "did you mean `Calculator/add`?"),
    ];
    for (id, (method, params, expected)) in (0..).zip(cases) {
        let (error, result) = hand.ask(id, method, params).await;
        assert_eq!(result, Value::Nil);
        let error = text(error);
        assert!(error.contains(expected), "{method}: {error}");
    }
}

#[tokio::test]
async fn one_listener_may_answer_errors_as_pairs_and_another_as_texts() {
    let server = Server::new().msgpack_rpc_errors(ErrorForm::Pair);
    let (mut serving, _) = serve_with(server, Limits::default()).await;
    serving.msgpack_rpc_errors(ErrorForm::Text);
    let second = serving.listen("tcp://127.0.0.1:0").await.unwrap();
    let mut pairs = Hand::connect(serving.address()).await;
    let (error, _) = pairs.ask(1, "take", vec![Value::from(2)]).await;
    let pair = vec![Value::from(9), Value::from("only 1 pieces are left")];
    assert_eq!(error, Value::from(pair), "9 is failed_precondition");
    let mut texts = Hand::connect(&second).await;
    let (error, _) = texts.ask(1, "take", vec![Value::from(2)]).await;
    assert_eq!(text(error), "only 1 pieces are left");
}

#[tokio::test]
async fn notifications_are_worked_on_in_order_and_answered_by_nothing() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    let mut all = notification("note", vec![Value::from("one")]);
    all.extend(notification("Calculator.note", vec![Value::from("two")]));
    all.extend(notification("no_such_method", vec![]));
    all.extend(notification("add", vec![Value::from(1), Value::from(2)]));
    all.extend(notification("take", vec![Value::from(1)]));
    all.extend(notification("note", vec![Value::from("three")]));
    all.extend(request(1, "note", vec![Value::from("asked")]));
    hand.send(&all).await;
    assert_eq!(hand.answer(1).await, (Value::Nil, Value::Nil));
    let (_, notes) = hand.ask(2, "notes", vec![]).await;
    let expected = ["one", "two", "three", "asked"].map(Value::from).to_vec();
    assert_eq!(notes, Value::from(expected));
}

#[tokio::test]
async fn answers_come_as_they_are_ready() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    let mut all = request(1, "later", vec![Value::from(200)]);
    all.extend(request(2, "later", vec![Value::from(1)]));
    all.extend(request(3, "add", vec![Value::from(1), Value::from(1)]));
    hand.send(&all).await;
    for (id, result) in [(3, 2), (2, 1), (1, 200)] {
        assert_eq!(hand.answer(id).await, (Value::Nil, Value::from(result)));
    }
}

#[tokio::test]
async fn a_handler_knows_its_peer_and_no_deadline() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    let local = hand.stream.local_addr().unwrap();
    let (_, who) = hand.ask(1, "who", vec![]).await;
    assert_eq!(text(who), format!("tcp://{local} None true"));
}

#[tokio::test]
async fn a_handler_calls_its_caller_back_while_that_waits() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    for (error, answered) in [
        (Value::Nil, Value::from("back")),
        (Value::from("no"), Value::Nil),
    ] {
        hand.send(&request(1, "ask_back", vec![Value::from("x")]))
            .await;
        let Some(Value::Array(asked)) = hand.next().await else {
            panic!("no request");
        };
        let args = Value::from(vec![Value::from("x")]);
        assert_eq!(asked[0], Value::from(0));
        assert_eq!(asked[2], Value::from("nvim_call_function"));
        assert_eq!(asked[3], Value::from(vec![Value::from("Heading"), args]));
        let answer = Value::from(vec![
            Value::from(1),
            asked[1].clone(),
            error.clone(),
            answered.clone(),
        ]);
        hand.send(&encode(&answer)).await;
        let (failure, result) = hand.answer(1).await;
        assert_eq!(result, answered);
        if error != Value::Nil {
            assert!(text(failure).starts_with("unknown: Neovim/nvim_call_function: no"));
        }
    }
}

#[tokio::test]
async fn handlers_of_a_peer_that_goes_are_dropped() {
    let (serving, desk) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    hand.send(&request(1, "never", vec![])).await;
    let (_, sum) = hand
        .ask(2, "add", vec![Value::from(1), Value::from(1)])
        .await;
    assert_eq!(sum, Value::from(2));
    assert_eq!(desk.running.load(SeqCst), 1);
    drop(hand);
    let gone = async {
        while desk.running.load(SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::service::LONG, gone)
        .await
        .expect("the handler is dropped");
}

#[tokio::test]
async fn both_doors_are_open_on_one_address_at_once() {
    let (serving, _) = serve().await;
    let native = CalculatorClient::connect(serving.address()).await.unwrap();
    let mut hand = Hand::connect(serving.address()).await;
    for n in 0..50 {
        assert_eq!(native.add(n, 1).await.unwrap(), n + 1);
        let answer = hand
            .ask(7, "add", vec![Value::from(n), Value::from(2)])
            .await;
        assert_eq!(answer, (Value::Nil, Value::from(n + 2)));
    }
}

#[tokio::test]
async fn a_server_may_keep_the_door_shut() {
    let (serving, _) = serve_with(Server::new().msgpack_rpc(false), Limits::default()).await;
    // The array of a request may be written in three ways.
    for front in [&b"\x94"[..], b"\xdc\x00\x04", b"\xdd\x00\x00\x00\x04"] {
        let mut hand = Hand::connect(serving.address()).await;
        hand.send(&[front, b"\x00\xcd\x01\x00\xa5hello\x90"].concat())
            .await;
        let error = hand.error(256).await;
        assert_eq!(error, "this listener does not serve MessagePack-RPC");
        assert_eq!(hand.next().await, None);
    }
}

#[tokio::test]
async fn whoever_waits_when_the_server_stops_is_told() {
    let (mut serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    hand.send(&request(1, "never", vec![])).await;
    hand.ask(2, "add", vec![Value::from(1), Value::from(1)])
        .await;
    let stop = serving.shutdown(std::time::Duration::from_millis(50));
    let (_, error) = tokio::join!(stop, hand.error(1));
    assert!(error.contains("shutting down"), "{error}");
    assert_eq!(hand.next().await, None);
}

#[tokio::test]
async fn streams_and_objects_are_refused_with_a_reason() {
    let serving = Server::new()
        .add(FlowService::new(Flowing))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let mut hand = Hand::connect(serving.address()).await;
    for (method, expected) in [
        (
            "ticks",
            "Flow/ticks has streams, which MessagePack-RPC does not have",
        ),
        ("Flow.collect", "Flow/collect has streams"),
        ("counter", "Flow/counter hands over objects"),
    ] {
        let (error, _) = hand.ask(1, method, vec![Value::from(3)]).await;
        let error = text(error);
        assert!(error.contains(expected), "{error}");
    }
    let answer = hand.ask(2, "plain_text", vec![]).await;
    assert_eq!(answer, (Value::Nil, Value::from("plain")));

    let address = format!("msgpack-rpc+{}", serving.address());
    let client = FlowClient::connect(&address).await.unwrap();
    assert_eq!(client.plain_text().await.unwrap(), "plain");
    let mut ticks = client.ticks(3).start();
    let failure = ticks.next().await.unwrap().expect_err("no streams");
    assert_eq!(failure.kind(), ErrorKind::Unimplemented);
    assert_eq!(failure.execution(), Execution::NotStarted);
    let failure = client.collect(rpc_runtime::stream::iter([1])).await;
    assert_eq!(
        failure.expect_err("no streams").kind(),
        ErrorKind::Unimplemented
    );
    let failure = client.counter().await.expect_err("no objects");
    assert!(
        failure.to_string().contains("neither streams nor objects"),
        "{failure}"
    );
    assert_eq!(client.plain_text().await.unwrap(), "plain");
}

#[tokio::test]
async fn rules_hold_for_every_spelling_and_hide_the_names() {
    let server = Server::new()
        .rule("Calculator", Rule::all())
        .rule("Calculator/add", Rule::deny());
    let (serving, _) = serve_with(server, Limits::default()).await;
    let mut hand = Hand::connect(serving.address()).await;
    for method in ["add", "Calculator/add", "Calculator.add"] {
        let (error, _) = hand
            .ask(1, method, vec![Value::from(1), Value::from(2)])
            .await;
        let error = text(error);
        assert!(error.contains("is not for everybody"), "{error}");
    }
    let loud = hand.ask(2, "sync", vec![Value::from("loud")]).await;
    assert_eq!(loud, (Value::Nil, Value::from("LOUD")));
    let (error, _) = hand.ask(3, "synk", vec![]).await;
    assert_eq!(text(error), "there is no method `synk` here");
    let (error, _) = hand
        .ask(4, "rpc.reflection.v1.Reflection/services", vec![])
        .await;
    assert!(text(error).contains("is not for everybody"));
}

#[tokio::test]
async fn a_server_that_wants_credentials_refuses_those_who_cannot_show_any() {
    let server = Server::new().authenticate(async |login: Login| match login.token() {
        Some(_) => Ok(Some(Identity::new("somebody"))),
        None => Err(Error::new(ErrorKind::Unauthenticated, "show a token")),
    });
    let (serving, desk) = serve_with(server, Limits::default()).await;
    let mut hand = Hand::connect(serving.address()).await;
    hand.send(&request(5, "note", vec![Value::from("in")]))
        .await;
    let error = hand.error(5).await;
    assert!(error.contains("show a token"), "{error}");
    assert_eq!(hand.next().await, None);
    assert!(desk.notes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_frameworks_own_services_are_there_by_their_full_names() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    let (error, tables) = hand
        .ask(1, "rpc.reflection.v1.Reflection/services", vec![])
        .await;
    assert_eq!(error, Value::Nil);
    assert!(format!("{tables:?}").contains("Calculator"), "{tables:?}");
}
