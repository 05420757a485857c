//! Health as others see it: asked once, watched, under rules, and while a server stops.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use std::time::Duration;

use rpc_runtime::health::{HealthBlockingClient, HealthClient, Status};
use rpc_runtime::reflection::ReflectionClient;
use rpc_runtime::{ErrorKind, Rule, Server, Serving, rpc_service};
use tokio::time::timeout;

/// Nothing in these tests waits on purpose; what takes this long hangs.
const LONG: Duration = Duration::from_secs(20);

const SHOP: &str = "health.Shop";

#[rpc_service(package = "health")]
trait Shop {
    async fn sell(&self) -> u64;
}

struct Corner;

impl Shop for Corner {
    async fn sell(&self) -> u64 {
        1
    }
}

async fn serve(address: &str) -> Serving {
    let server = Server::new().add(ShopService::new(Corner));
    server.listen(address).await.unwrap()
}

#[tokio::test]
async fn a_server_says_what_takes_calls() {
    let serving = serve("tcp://127.0.0.1:0").await;
    let client = HealthClient::connect(serving.address()).await.unwrap();
    let check = async |service: &str| client.check(service).await.unwrap();
    assert_eq!(check("").await, Status::Serving);
    assert_eq!(check(SHOP).await, Status::Serving);
    assert_eq!(check("rpc.health.v1.Health").await, Status::Serving);
    assert_eq!(check("health.Shpo").await, Status::Unknown);
    serving.set_serving(SHOP, false).unwrap();
    assert_eq!(check(SHOP).await, Status::NotServing);
    assert_eq!(check("").await, Status::Serving, "of itself");
    serving.set_serving("", false).unwrap();
    serving.set_serving(SHOP, true).unwrap();
    assert_eq!(check("").await, Status::NotServing);
    assert_eq!(check(SHOP).await, Status::Serving);
    let error = serving
        .set_serving("health.Shpo", true)
        .expect_err("no such service");
    assert!(
        error.to_string().contains("did you mean `health.Shop`?"),
        "{error}"
    );
    let address = serving.address().to_owned();
    let blocking = tokio::task::spawn_blocking(move || {
        let client = HealthBlockingClient::connect(address).unwrap();
        assert_eq!(client.check(SHOP).unwrap(), Status::Serving);
        let mut states = client.watch(SHOP).unwrap();
        assert_eq!(states.next().unwrap().unwrap(), Status::Serving);
    });
    timeout(LONG, blocking).await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_watches_is_told_of_each_change_and_of_the_end() {
    let mut serving = serve("mem://health-watch").await;
    let client = HealthClient::connect("mem://health-watch").await.unwrap();
    let mut states = client.watch(SHOP).await.unwrap();
    let mut strange = client.watch("nobody.Knows").await.unwrap();
    let mut whole = client.watch("").await.unwrap();
    let next = async |items: &mut rpc_runtime::Items<Status>| {
        timeout(LONG, items.next())
            .await
            .expect("it comes")
            .map(Result::unwrap)
    };
    assert_eq!(next(&mut states).await, Some(Status::Serving));
    assert_eq!(next(&mut strange).await, Some(Status::Unknown));
    assert_eq!(next(&mut whole).await, Some(Status::Serving));
    serving.set_serving(SHOP, true).unwrap();
    serving.set_serving(SHOP, false).unwrap();
    assert_eq!(
        next(&mut states).await,
        Some(Status::NotServing),
        "what did not change is not told"
    );
    serving.set_serving(SHOP, true).unwrap();
    assert_eq!(next(&mut states).await, Some(Status::Serving));
    // Watchers are no calls that a shutdown waits for.
    let began = tokio::time::Instant::now();
    timeout(LONG, serving.shutdown(3 * LONG))
        .await
        .expect("it does not wait for them");
    assert!(began.elapsed() < LONG);
    assert_eq!(next(&mut states).await, Some(Status::NotServing));
    assert_eq!(next(&mut states).await, None);
    assert_eq!(next(&mut whole).await, Some(Status::NotServing));
    assert_eq!(next(&mut whole).await, None);
    assert_eq!(next(&mut strange).await, None);
}

#[tokio::test]
async fn health_and_reflection_obey_the_rules() {
    let server = Server::new().add(ShopService::new(Corner));
    let serving = server
        .rule(SHOP, Rule::all())
        .rule("rpc.health.v1.Health/check", Rule::all())
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let client = HealthClient::connect(serving.address()).await.unwrap();
    assert_eq!(client.check("").await.unwrap(), Status::Serving);
    let watched = async { client.watch("").await?.next().await.unwrap() };
    let error = watched.await.expect_err("no rule allows it");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    let reflection = ReflectionClient::connect(serving.address()).await.unwrap();
    let error = reflection.services().await.expect_err("no rule allows it");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
}

#[tokio::test]
async fn reflection_describes_every_service_that_is_mounted() {
    let serving = serve("tcp://127.0.0.1:0").await;
    let client = ReflectionClient::connect(serving.address()).await.unwrap();
    let tables = client.services().await.unwrap();
    let mut names: Vec<_> = tables.iter().map(|table| &*table.name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [SHOP, "rpc.health.v1.Health", "rpc.reflection.v1.Reflection"]
    );
    for service in serving.services() {
        let table = tables
            .iter()
            .find(|table| table.name == service.name)
            .unwrap();
        assert_eq!(table.fingerprint, service.fingerprint);
        let theirs: Vec<_> = table
            .methods
            .iter()
            .map(|method| (method.call_id, &*method.signature))
            .collect();
        let ours: Vec<_> = service
            .methods
            .iter()
            .map(|method| (method.id, method.signature))
            .collect();
        assert_eq!(theirs, ours, "{}", service.name);
    }
}
