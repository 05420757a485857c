//! A thousand clients of one server that dies and comes back: they do not trample it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rpc_runtime::{Channel, Context, Limits, Server, Serving, rpc_service};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::network::{Dice, Network};

const CLIENTS: u64 = 1_000;
const ADDRESS: &str = "tcp://server:1";

#[rpc_service(package = "herd")]
trait Well {
    #[rpc(idempotent)]
    async fn drink(&self) -> u64;
}

#[derive(Clone, Default)]
struct Counting {
    drunk: Arc<AtomicU64>,
    again: Arc<AtomicU64>,
}

impl Well for Counting {
    async fn drink(&self) -> u64 {
        let repeated = Context::current().unwrap().is_repeated();
        self.again.fetch_add(u64::from(repeated), Ordering::Relaxed);
        self.drunk.fetch_add(1, Ordering::Relaxed)
    }
}

async fn open(network: &Arc<Network>, well: &Counting) -> Serving {
    let server = Server::new().transport(network.host("server"));
    let server = server.add(WellService::new(well.clone()));
    server.listen(ADDRESS).await.unwrap()
}

/// The most connections asked for in any tenth of a second.
fn peak(attempts: &[Instant], began: Instant, from: Instant) -> usize {
    let mut tenths: BTreeMap<u128, usize> = BTreeMap::new();
    for attempt in attempts.iter().filter(|attempt| **attempt >= from) {
        *tenths
            .entry(attempt.duration_since(began).as_millis() / 100)
            .or_default() += 1;
    }
    tenths.values().copied().max().unwrap_or(0)
}

/// Clients that call once in about two seconds, until they are told to stop.
async fn thirsty(network: Arc<Network>, number: u64, until: Instant) -> (u64, u64) {
    let mut dice = Dice::new(number);
    let host = network.host(&format!("c{number}"));
    let channel = Channel::builder().transport(host).lazy(ADDRESS).unwrap();
    let client = WellClient::new(channel);
    let (mut calls, mut failed) = (0, 0);
    sleep(dice.millis(3_000)).await;
    while Instant::now() < until {
        calls += 1;
        let call = client.drink().timeout(Duration::from_secs(20)).await;
        failed += u64::from(call.is_err());
        sleep(dice.millis(4_000)).await;
    }
    (calls, failed)
}

/// What `trouble` leaves of the server serves on until the end.
async fn herd(seed: u64, outage: Option<Duration>, percent: u64) {
    let network = Network::new(seed);
    network.calm();
    let well = Counting::default();
    let mut serving = open(&network, &well).await;
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(thirsty(
            network.clone(),
            number,
            began + Duration::from_secs(60),
        ));
    }
    sleep(Duration::from_secs(20)).await;
    assert_eq!(serving.connections() as u64, CLIENTS);
    let from = Instant::now();
    match outage {
        Some(outage) => {
            network.kill("server");
            drop(serving);
            sleep(outage).await;
        }
        None => serving.shutdown(Duration::from_secs(30)).await,
    }
    let back = Instant::now();
    let serving = open(&network, &well).await;
    let (mut calls, mut failed) = (0, 0);
    while let Some(client) = clients.join_next().await {
        let (made, lost) = client.unwrap();
        (calls, failed) = (calls + made, failed + lost);
    }
    let attempts = network.attempts();
    let (down, up) = (peak(&attempts, began, from), peak(&attempts, began, back));
    let again = well.again.load(Ordering::Relaxed);
    println!(
        "herd, outage {outage:?}: {calls} calls, {failed} failed, {again} run by repetitions, at most {down} attempts \
         to connect in 100 ms, {up} once the server is back"
    );
    assert_eq!(failed, 0, "all clients come back");
    assert!(
        up as u64 * 100 <= CLIENTS * percent,
        "{up} connects in 100 ms trample the server"
    );
    // Ten repetitions for each client, and a tenth for each success.
    assert!(again <= 10 * CLIENTS + calls / 10, "{again}");
    drop(serving);
}

fn simulate(work: impl Future<Output = ()>) {
    rpc_runtime::__private::seed_random(Some(20));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work);
    rpc_runtime::__private::seed_random(None);
}

#[test]
fn a_server_that_died_is_not_trampled_when_it_comes_back() {
    // Pauses grow with the outage: after a short one clients are back soon, and closer together.
    for (seconds, percent) in [(1, 25), (5, 10), (10, 10)] {
        simulate(herd(seconds, Some(Duration::from_secs(seconds)), percent));
    }
}

#[test]
fn a_server_that_was_restarted_in_order_is_not_trampled() {
    simulate(herd(1, None, 10));
}

#[test]
fn connections_that_come_to_their_age_are_left_without_a_failed_call() {
    #[derive(Clone)]
    struct Slow;
    impl Well for Slow {
        async fn drink(&self) -> u64 {
            sleep(Duration::from_millis(700)).await;
            1
        }
    }
    simulate(async {
        let network = Network::new(5);
        network.calm();
        let limits = Limits {
            max_connection_age: Some(Duration::from_secs(5)),
            ..Limits::default()
        };
        let server = Server::new()
            .limits(limits)
            .transport(network.host("server"));
        let serving = server
            .add(WellService::new(Slow))
            .listen(ADDRESS)
            .await
            .unwrap();
        let channel = Channel::builder()
            .transport(network.host("c"))
            .lazy(ADDRESS)
            .unwrap();
        let client = WellClient::new(channel);
        let mut calls = JoinSet::new();
        for _ in 0..2_000 {
            // Always some under way; none is repeated, so none may fail.
            calls.spawn(client.drink().no_retry().into_future());
            sleep(Duration::from_millis(30)).await;
        }
        while let Some(call) = calls.join_next().await {
            call.unwrap().unwrap();
        }
        let opened = network.attempts();
        // A minute, by five seconds give or take a tenth, and what was still to finish.
        assert!((10..=14).contains(&opened.len()), "{}", opened.len());
        let ages: Vec<_> = opened.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            ages.iter().all(|age| age.as_millis().abs_diff(5_000) < 560),
            "{ages:?}"
        );
        assert!(
            ages.iter()
                .any(|age| age.abs_diff(ages[0]).as_millis() > 20),
            "not all at once: {ages:?}"
        );
        assert!(serving.connections() <= 2);
    });
}
