//! Servers behind a registry of our own are restarted one after the other: no call fails, none runs twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rpc_runtime::discovery::{InProcess, RegistryServer, RemoteRegistry};
use rpc_runtime::{Channel, Server, Serving};
use tokio::time::{sleep, timeout};

use crate::service::*;

const REGISTRY: &str = "mem://leaving-registry";

async fn start(worker: &Worker, at: usize) -> Serving {
    let server = Server::new()
        .add(WorkService::new(worker.clone()))
        .register(RemoteRegistry::new(REGISTRY).unwrap());
    let address = format!("mem://leaving-rolling-{at}");
    server.listen(address).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_behind_a_registry_loses_no_call_and_runs_none_twice() {
    let list = RegistryServer::over(InProcess::new()).skeleton();
    let _registry = Server::new().add(list).listen(REGISTRY).await.unwrap();
    let worker = Worker::new("one of three");
    let mut fleet = Vec::new();
    for at in 0..3 {
        fleet.push(start(&worker, at).await);
    }
    let registry = RemoteRegistry::new(REGISTRY).unwrap();
    let client = WorkClient::new(Channel::discover(registry, "leaving.Work"));
    timeout(LONG, client.who().into_future())
        .await
        .unwrap()
        .unwrap();
    let (over, made) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(1)),
    );
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (client, over, made) = (client.clone(), over.clone(), made.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    client.who().await.expect("a restart costs no call");
                    made.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(3)).await;
                }
            })
        })
        .collect();
    for restart in 0..6 {
        let at = restart % fleet.len();
        fleet[at].shutdown(LONG).await;
        fleet[at] = start(&worker, at).await;
        sleep(Duration::from_secs(2)).await;
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let (made, ran) = (
        made.load(Ordering::Relaxed),
        worker.ran.load(Ordering::Relaxed),
    );
    assert_eq!(made, ran, "none twice: the method is not idempotent");
    assert!(made > 1_000, "{made}");
}
