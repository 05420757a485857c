//! One server and one client in one thread, over memory, so that the same work takes the same steps each time.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rpc_runtime::{Server, Stream, stream};
use tokio::task::yield_now;

rpc_runtime::include_idl!();

use self::cost::v1::{Address, Order, Work, WorkClient, WorkService};

/// The handlers.
#[derive(Debug)]
pub struct Worker;

impl Work for Worker {
    async fn add(&self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }

    async fn get(&self, id: u64) -> Order {
        order(id)
    }

    async fn list(&self, count: u32) -> Vec<Order> {
        (0..count.into()).map(order).collect()
    }

    async fn echo(&self, body: Vec<u8>) -> Vec<u8> {
        body
    }

    async fn items(&self, count: u64) -> impl Stream<Item = Vec<u8>> {
        stream::iter((0..count).map(|_| vec![7; 100]))
    }

    async fn wait(&self, id: u64) -> u64 {
        yield_now().await;
        id
    }

    async fn measure(&self, text: String) -> u64 {
        text.len() as u64
    }
}

/// The order with this number.
#[must_use]
pub fn order(id: u64) -> Order {
    Order {
        id,
        customer: "Ada Lovelace".to_owned(),
        email: Some("ada@example.org".to_owned()),
        address: Address {
            street: "12 St James's Square".to_owned(),
            city: "London".to_owned(),
        },
        items: vec!["engine".to_owned(), "punched cards".to_owned()],
        total: 1_234.5,
        currency: "GBP".to_owned(),
        paid: true,
        created: 1_790_000_000_000,
        note: "to be delivered to the back door, after six".to_owned(),
        weight: 4_200,
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Two numbers there, one back.
    Add,
    /// One number there, an order back.
    Get,
    /// One number there, 200 orders back.
    List,
    /// A text there, a number back.
    Measure,
    /// A number there and back, by a handler that waits once and so gets a task.
    Wait,
    /// 64 KiB there and back.
    Echo,
    /// Items of 100 bytes, as many as there are calls, in one stream for each caller.
    Items,
}

impl Case {
    /// All of them, by name.
    pub const ALL: [(&str, Self); 7] = [
        ("add", Self::Add),
        ("get", Self::Get),
        ("list", Self::List),
        ("measure", Self::Measure),
        ("wait", Self::Wait),
        ("echo", Self::Echo),
        ("items", Self::Items),
    ];
}

/// Serves and calls: `calls` calls in all, `abreast` of them at a time, on one connection. `begin` runs when the
/// connection is warm: as many calls as are measured were made before.
///
/// # Panics
///
/// On a wrong answer.
pub async fn run(case: Case, abreast: u64, calls: u64, begin: impl FnOnce()) {
    let name = format!("mem://cost-{case:?}-{abreast}");
    let server = Server::new().add(WorkService::new(Worker));
    let serving = server.listen(&name).await.expect("the name is free");
    let client = WorkClient::connect(&name).await.expect("it listens");
    all(&client, case, abreast, calls).await;
    begin();
    all(&client, case, abreast, calls).await;
    drop((client, serving));
}

async fn all(client: &WorkClient, case: Case, abreast: u64, calls: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..abreast)
        .map(|_| {
            let (client, next) = (client.clone(), next.clone());
            tokio::spawn(async move {
                let body = match case {
                    Case::Echo => vec![7; 64 << 10],
                    _ => Vec::new(),
                };
                if case == Case::Items {
                    let mut items = client.items(calls / abreast).start();
                    let mut count = 0;
                    while let Some(item) = items.next().await {
                        assert!(item.is_ok_and(|item| item.len() == 100), "a wrong item");
                        count += 1;
                    }
                    assert_eq!(count, calls / abreast);
                    return;
                }
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    if id >= calls {
                        return;
                    }
                    let mut call = pin!(one(&client, case, id, &body));
                    assert!(call.as_mut().await, "a wrong answer");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no caller panics");
    }
}

async fn one(client: &WorkClient, case: Case, id: u64, body: &[u8]) -> bool {
    match case {
        Case::Add => client.add(id, 1).await.is_ok_and(|sum| sum == id + 1),
        Case::Get => client.get(id).await.is_ok_and(|order| order.id == id),
        Case::List => client.list(200).await.is_ok_and(|list| list.len() == 200),
        Case::Measure => client.measure("twelve bytes").await.is_ok_and(|n| n == 12),
        Case::Wait => client.wait(id).await.is_ok_and(|back| back == id),
        Case::Echo => client.echo(body).await.is_ok_and(|back| back == body),
        Case::Items => true,
    }
}
