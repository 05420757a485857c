//! Clients and servers of either kind understand each other, and hold the same rules.

use std::collections::{BTreeMap, BTreeSet};

use rpc_runtime::{ErrorKind, Items, Server, Shared, SmolStr, Stream, stream};

const LONG: &str = "a text that is longer than the twenty-three bytes of a value";

/// Everything about one kind: a book, and a server that keeps it.
macro_rules! kind {
    ($kind:ident, $string:ty) => {
        mod $kind {
            use super::*;
            pub(super) use small_strings::$kind::library::v1::*;

            pub(super) fn book(title: &str) -> Book {
                let text = |text: &str| <$string>::from(text);
                Book {
                    author: Some(text(LONG)),
                    tags: BTreeSet::from([text("b"), text("a")]),
                    words: vec![text(""), text("short"), text(LONG)],
                    index: BTreeMap::from([(text("key"), text("value")), (text(LONG), text(""))]),
                    two: [text("one"), text(LONG)],
                    source: Some(Source::Found {
                        place: text("attic"),
                        finder: None,
                    }),
                    secret: Some(text("hidden")),
                    before: None,
                    ..Book::new(title, Vec::new(), BTreeMap::new(), [text(""), text("")])
                }
            }

            #[derive(Clone)]
            pub(super) struct Shelf;

            impl Library for Shelf {
                async fn keep(
                    &self,
                    book: Book,
                    by: $string,
                    note: Option<$string>,
                ) -> Result<Book, Lost> {
                    if by == "nobody" {
                        return Err(Lost::Elsewhere { place: by });
                    }
                    Ok(Book {
                        author: Some(by),
                        note,
                        ..book
                    })
                }

                async fn find(&self, title: $string) -> Result<Book, Lost> {
                    match &title[..] {
                        "gone" => Err(Lost::Gone(title)),
                        _ => Ok(book(&title)),
                    }
                }

                async fn titles(&self, prefix: $string) -> Vec<$string> {
                    ["first", LONG]
                        .map(|title| format!("{prefix}{title}").into())
                        .into()
                }

                async fn motto(&self) -> Shared<str> {
                    LONG.into()
                }

                async fn read(&self, title: $string) -> impl Stream<Item = $string> {
                    stream::iter(["one".into(), LONG.into(), title])
                }

                async fn dictate(&self, mut lines: Items<$string>) -> $string {
                    let mut all = String::new();
                    while let Some(line) = lines.next().await {
                        all += &line.unwrap();
                    }
                    all.into()
                }
            }

            pub(super) async fn serve() -> rpc_runtime::Serving {
                let server = Server::new().add(LibraryService::new(Shelf));
                server.listen("tcp://127.0.0.1:0").await.unwrap()
            }

            pub(super) async fn calls(address: &str) {
                let client = LibraryClient::connect(address).await.unwrap();
                let kept = client.keep(&book("first"), "Ada", None).await.unwrap();
                let expected = Book {
                    author: Some("Ada".into()),
                    note: Some("none".into()),
                    ..book("first")
                };
                assert_eq!(kept, expected);
                let error = client
                    .keep(&book("first"), "nobody", Some(LONG))
                    .await
                    .unwrap_err();
                let place = "nobody".into();
                assert_eq!(error.declared(), Some(&Lost::Elsewhere { place }));
                let error = client.find("gone").await.unwrap_err();
                assert_eq!(error.declared(), Some(&Lost::Gone("gone".into())));
                assert_eq!(client.find("other").await.unwrap(), book("other"));
                let error = client.find("longer than ten").await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidArgument);
                let titles = client.titles(LONG).await.unwrap();
                assert_eq!(titles, [format!("{LONG}first"), format!("{LONG}{LONG}")]);
                assert_eq!(client.motto().await.unwrap(), LONG);
                let view = client.find("seen").view().await.unwrap();
                assert_eq!(view.get().unwrap().words, ["", "short", LONG]);

                let mut items = client.read("last").start();
                let mut read = Vec::new();
                while let Some(item) = items.next().await {
                    read.push(item.unwrap());
                }
                assert_eq!(read, ["one", LONG, "last"]);
                let lines = ["a", LONG].map(<$string>::from);
                let all = client.dictate(stream::iter(lines)).await.unwrap();
                assert_eq!(all, format!("a{LONG}"));
            }

            pub(super) fn blocks(address: &str) {
                let client = LibraryBlockingClient::connect(address).unwrap();
                assert_eq!(client.find("other").unwrap(), book("other"));
            }
        }
    };
}

kind!(strings, String);
kind!(small, SmolStr);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_kind_of_client_calls_either_kind_of_server() {
    for serving in [strings::serve().await, small::serve().await] {
        let address = serving.address().to_owned();
        strings::calls(&address).await;
        small::calls(&address).await;
        let blocking = tokio::task::spawn_blocking(move || {
            strings::blocks(&address);
            small::blocks(&address);
        });
        blocking.await.unwrap();
    }
}

#[test]
fn both_are_the_same_in_json_in_debug_and_by_their_rules() {
    let (string, small) = (strings::book("title"), small::book("title"));
    let json = serde_json::to_string(&string).unwrap();
    assert_eq!(serde_json::to_string(&small).unwrap(), json);
    assert_eq!(serde_json::from_str::<small::Book>(&json).unwrap(), small);
    assert_eq!(format!("{string:?}"), format!("{small:?}"));
    assert!(!format!("{small:?}").contains("hidden"));
    assert_eq!(
        (&string.shelf[..], string.note.as_deref()),
        (&small.shelf[..], small.note.as_deref())
    );

    let wrong = |shelf: &str| {
        let string = strings::Book {
            shelf: shelf.into(),
            ..string.clone()
        };
        let small = small::Book {
            shelf: shelf.into(),
            ..small.clone()
        };
        (string.validate(), small.validate())
    };
    let (of_string, of_small) = wrong("nowhere");
    let text = of_small.unwrap_err().to_string();
    assert_eq!(of_string.unwrap_err().to_string(), text);
    assert!(text.contains("shelf"), "{text}");
    assert!(matches!(wrong("B-12"), (Ok(()), Ok(()))));
}
