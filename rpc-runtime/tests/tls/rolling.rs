//! Servers over TLS that are restarted under load: no call fails, none runs twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rpc_runtime::discovery::ListRegistry;
use rpc_runtime::{Channel, Server, Serving, rpc_service};
use tokio::time::timeout;

use crate::certificates::Authority;
use crate::service::{server_tls, trusts};

const LONG: Duration = Duration::from_secs(20);

#[rpc_service(package = "tls")]
trait Meter {
    async fn count(&self) -> u64;
}

#[derive(Clone, Default)]
struct Counted(Arc<AtomicU64>);

impl Meter for Counted {
    async fn count(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_over_tls_loses_no_call_and_runs_none_twice() {
    let ca = Authority::new("ca");
    let made = ca.server(&["127.0.0.1"]);
    let counted = Counted::default();
    let start = async |address: &str| -> Serving {
        let server = Server::new()
            .add(MeterService::new(counted.clone()))
            .tls(server_tls(&made));
        server.listen(address).await.unwrap()
    };
    let mut fleet = Vec::new();
    for _ in 0..2 {
        fleet.push(start("tls://127.0.0.1:0").await);
    }
    let addresses: Vec<_> = fleet.iter().map(|one| one.address().to_owned()).collect();
    let list = ListRegistry::new(&addresses).unwrap();
    let channel = Channel::builder()
        .tls(trusts(&ca))
        .discover(list, "tls.Meter");
    let client = MeterClient::new(channel.unwrap());
    let (over, told) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (client, over, told) = (client.clone(), over.clone(), told.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    client.count().await.expect("a restart costs no call");
                    told.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let more = async || {
        let goal = told.load(Ordering::Relaxed) + 50;
        let all = async {
            while told.load(Ordering::Relaxed) < goal {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, all).await.expect("calls go on");
    };
    more().await;
    for restart in 0..4 {
        let at = restart % fleet.len();
        fleet[at].shutdown(LONG).await;
        fleet[at] = start(&addresses[at]).await;
        more().await;
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        timeout(LONG, caller).await.unwrap().unwrap();
    }
    let ran = counted.0.load(Ordering::Relaxed);
    assert_eq!(ran, told.load(Ordering::Relaxed), "none twice");
}
