//! Parameters that handlers read where they were received, and that all rules hold.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]

#[path = "../../../rpc-runtime/tests/raw/mod.rs"]
mod raw;

use by_reference::notes::v1::{Greeter, Notes, NotesBlockingClient, NotesClient, NotesService};
use rpc_runtime::{Channel, Items, Server, Serving, Stream, rpc_service};
use tokio::task::yield_now;

use raw::{Raw, call};

struct Desk;

impl Greeter for Desk {
    async fn greet(&self, name: &str) -> String {
        // The request is still there.
        yield_now().await;
        format!("hello {name}")
    }
}

impl Notes for Desk {
    async fn gap(&self, title: &str, body: &[u8]) -> i64 {
        body.as_ptr() as i64 - title.as_ptr() as i64 - title.len() as i64
    }

    async fn forms(
        &self,
        one: Option<&str>,
        two: Option<&[u8]>,
        three: &[u8],
        four: &str,
        five: &[u8],
        six: Option<&str>,
    ) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        vec![
            one.unwrap_or("none").to_owned(),
            two.map_or("none".to_owned(), text),
            text(three),
            four.to_owned(),
            text(five),
            six.unwrap_or("none").to_owned(),
        ]
    }

    async fn checked(&self, text: &str, body: &[u8], more: Option<&[u8]>) -> u64 {
        (text.len() + body.len() + more.map_or(0, <[u8]>::len)) as u64
    }

    async fn words(&self, text: &str) -> impl Stream<Item = String> + Send {
        Words(text.split(' '))
    }

    async fn upload(&self, prefix: &str, mut lines: Items<String>) -> String {
        let mut all = String::new();
        while let Some(Ok(line)) = lines.next().await {
            all += prefix;
            all += &line;
        }
        all
    }
}

struct Words<'a>(std::str::Split<'a, char>);

impl Stream for Words<'_> {
    type Item = String;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<String>> {
        std::task::Poll::Ready(self.0.next().map(str::to_owned))
    }
}

/// The same parameters, by a trait.
#[rpc_service(package = "slips.v1")]
trait Slips {
    async fn gap(&self, title: &str, body: &[u8]) -> i64;
    async fn forms(&self, two: &[u8], one: Option<&str>) -> Vec<String>;
}

impl Slips for Desk {
    async fn gap(&self, title: &str, body: &[u8]) -> i64 {
        Notes::gap(self, title, body).await
    }

    async fn forms(&self, two: &[u8], one: Option<&str>) -> Vec<String> {
        Notes::forms(self, one, Some(two), b"", "", b"", None).await
    }
}

async fn serve(address: &str) -> Serving {
    let server = Server::new().add(NotesService::new(Desk));
    server
        .add(SlipsService::new(Desk))
        .listen(address)
        .await
        .unwrap()
}

/// Headers of the body, where it follows the title in the same buffer: bin 8, bin 16, bin 32.
const GAPS: [(usize, i64); 4] = [(0, 2), (255, 2), (256, 3), (70_000, 5)];

#[tokio::test]
async fn strings_and_bytes_point_into_the_request() {
    for address in ["mem://in-place", "tcp://127.0.0.1:0"] {
        let serving = serve(address).await;
        let notes = NotesClient::connect(serving.address()).await.unwrap();
        let slips = SlipsClient::connect(serving.address()).await.unwrap();
        for (length, gap) in GAPS {
            let body = vec![7; length];
            assert_eq!(notes.gap("title", &body).await.unwrap(), gap, "{length}");
            assert_eq!(slips.gap("title", &body).await.unwrap(), gap, "{length}");
        }
    }
    let local = NotesClient::new(Channel::local(NotesService::new(Desk)));
    assert_eq!(local.gap("title", b"body").await.unwrap(), 2);
}

#[tokio::test]
async fn optionals_and_defaults_are_what_they_are_by_value() {
    let serving = serve("mem://in-place-forms").await;
    let notes = NotesClient::connect(serving.address()).await.unwrap();
    let all = notes.forms(Some("1"), Some(b"2"), b"3", "4!", b"5!", Some("6!"));
    assert_eq!(all.await.unwrap(), ["1", "2", "3", "4!", "5!", "6!"]);
    let none = notes.forms(None, None, b"", "", b"", None);
    assert_eq!(none.await.unwrap(), ["none", "none", "", "", "", "6"]);
    assert_eq!(notes.greet("you").await.unwrap(), "hello you");
}

#[tokio::test]
async fn a_stream_may_borrow_them_too() {
    let serving = serve("mem://in-place-streams").await;
    let notes = NotesClient::connect(serving.address()).await.unwrap();
    let mut words = notes.words("one two three").await.unwrap();
    let mut all = Vec::new();
    while let Some(word) = words.next().await {
        all.push(word.unwrap());
    }
    assert_eq!(all, ["one", "two", "three"]);
    drop(words);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocking_clients_call_with_references_as_they_did() {
    let serving = serve("tcp://127.0.0.1:0").await;
    let address = serving.address().to_owned();
    let gap = tokio::task::spawn_blocking(move || {
        let notes = NotesBlockingClient::connect(&address).unwrap();
        notes.gap("title", b"body").unwrap()
    });
    assert_eq!(gap.await.unwrap(), 2);
}

fn id_of(service: &rpc_runtime::ServiceDescriptor, name: &str) -> u64 {
    let mut methods = service.methods.iter();
    methods.find(|method| method.name == name).unwrap().id
}

/// What comes back for parameters as they are on the wire: the body of the answer, or the message of the failure.
async fn raw_call(id: u64, params: &[u8]) -> Result<Vec<u8>, String> {
    let serving = serve("tcp://127.0.0.1:0").await;
    let (mut raw, _) = Raw::open(serving.address()).await;
    raw.send(&call(1, id, params)).await;
    let answer = raw.next().await.unwrap();
    if answer.kind == 3 {
        return Ok(answer.rest);
    }
    let (status, execution, message) = answer.fail();
    assert_eq!(
        (status, execution),
        (3, 1),
        "invalid, not started: {message}"
    );
    Err(message)
}

#[tokio::test]
async fn what_is_accepted_does_not_depend_on_who_owns_it() {
    let (notes, slips) = (NotesClient::SERVICE, SlipsClient::SERVICE);
    let forms = id_of(notes, "forms");
    // Bytes as an array of numbers; trailing parameters that are not there; nil.
    let by_default = b"\x96\xa1a\xa1b\xa1c\xa14\xa15\xa16".to_vec();
    let short = raw_call(forms, b"\x93\xc0\x92\x61\x62\x91\x63").await;
    assert_eq!(short.unwrap(), b"\x96\xa4none\xa2ab\xa1c\xa14\xa15\xa16");
    let by_name = b"\x83\xa5three\xc4\x01c\xa3one\xa1a\xa3two\xc4\x01b";
    assert_eq!(raw_call(forms, by_name).await.unwrap(), by_default);
    // What a newer caller sends beyond them.
    let newer = b"\x98\xa1a\xc4\x01b\xc4\x01c\xa14\xc4\x015\xa16\x07\x90";
    assert_eq!(raw_call(forms, newer).await.unwrap(), by_default);
    let forms = id_of(slips, "forms");
    let short = raw_call(forms, b"\x91\x92\x61\x62").await;
    assert_eq!(short.unwrap(), b"\x96\xa4none\xa2ab\xa0\xa0\xa0\xa4none");
}

#[tokio::test]
async fn what_is_refused_does_not_depend_on_it_either() {
    let (notes, slips) = (NotesClient::SERVICE, SlipsClient::SERVICE);
    for service in [notes, slips] {
        let gap = id_of(service, "gap");
        for (params, why) in [
            (&b"\x92\xa2\xff\xfe\xc4\x00"[..], "UTF-8"),
            (b"\x92\xc4\x01a\xc4\x00", "title"),
            (b"\x92\xa1a\xa1b", "body"),
            (b"\x92\xa1a\x91\xcd\x01\x00", "body"),
            (b"\x92\xa1a\xc0", "body"),
            (b"\x91\xa1a", "`body`, is missing"),
            // Longer than what is there.
            (b"\x92\xdb\xff\xff\xff\xffa", "parameters"),
            (b"\x92\xa1a\xc6\xff\xff\xff\xffb", "parameters"),
            (b"\x92\xa1a\xdd\xff\xff\xff\xff\x01", "parameters"),
            (b"\x92\xa1a\xc4\x00\x00", "parameters"),
        ] {
            let message = raw_call(gap, params).await.unwrap_err();
            assert!(message.contains(why), "{params:02x?}: {message}");
        }
    }
    let checked = id_of(notes, "checked");
    for (params, why) in [
        (&b"\x92\xa5abcde\xc4\x00"[..], "text"),
        (b"\x92\xa1A\xc4\x00", "text"),
        (b"\x92\xa1a\xc4\x05abcde", "body"),
        (b"\x92\xa1a\x95\x01\x02\x03\x04\x05", "body"),
        (b"\x93\xa1a\xc4\x00\xc4\x05abcde", "more"),
    ] {
        let message = raw_call(checked, params).await.unwrap_err();
        assert!(message.contains(why), "{params:02x?}: {message}");
    }
    assert_eq!(
        raw_call(checked, b"\x92\xa1a\xc4\x01b").await.unwrap(),
        b"\x02"
    );
}
