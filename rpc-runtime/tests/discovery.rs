//! Providers register, consumers find them, and both go on whatever happens to the registry or to an instance.
#![expect(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use rpc_runtime::discovery::{
    InProcess, Instance, Lease, Registry, RegistryServer, RemoteRegistry, Renewal,
};
use rpc_runtime::{Channel, ErrorKind, Execution, Server, Serving, rpc_service};
use tokio::time::{Instant, sleep};

#[rpc_service(package = "test.v1")]
trait Who {
    async fn name(&self) -> String;
    async fn name_later(&self) -> String;
}

struct Named(&'static str);

impl Who for Named {
    async fn name(&self) -> String {
        self.0.to_owned()
    }
    async fn name_later(&self) -> String {
        sleep(Duration::from_secs(5)).await;
        self.0.to_owned()
    }
}

const SERVICE: &str = "test.v1.Who";

async fn provider(name: &'static str, address: &str, registry: impl Registry) -> Serving {
    Server::new()
        .add(WhoService::new(Named(name)))
        .register(registry)
        .listen(address)
        .await
        .unwrap()
}

async fn registry_server(address: &str) -> (Serving, InProcess) {
    let list = InProcess::new();
    let serving = Server::new()
        .add(RegistryServer::over(list.clone()).skeleton())
        .listen(address)
        .await
        .unwrap();
    (serving, list)
}

/// Waits until the list has so many instances; time is paused, so this costs nothing.
async fn until_listed(registry: &impl Registry, count: usize) {
    let mut now = registry.snapshot(SERVICE).await.unwrap();
    while now.instances.len() != count {
        now = registry.changed(SERVICE, now.cursor).await.unwrap();
    }
}

/// How often each name answers.
async fn ask(client: &WhoClient, times: usize) -> HashMap<String, usize> {
    let mut seen = HashMap::new();
    for _ in 0..times {
        *seen.entry(client.name().await.unwrap()).or_default() += 1;
    }
    seen
}

#[tokio::test]
async fn calls_go_to_the_instances_in_turn() {
    let list = InProcess::new();
    let _a = provider("a", "mem://turn-a", list.clone()).await;
    let _b = provider("b", "mem://turn-b", list.clone()).await;
    let _c = provider("c", "mem://turn-c", list.clone()).await;
    until_listed(&list, 3).await;
    let client = WhoClient::new(Channel::discover(list, SERVICE));
    ask(&client, 3).await;
    let seen = ask(&client, 30).await;
    assert_eq!(
        seen,
        HashMap::from([("a".into(), 10), ("b".into(), 10), ("c".into(), 10)])
    );
}

#[tokio::test]
async fn random_reaches_everybody() {
    let _a = Server::new()
        .add(WhoService::new(Named("a")))
        .listen("mem://random-a")
        .await
        .unwrap();
    let _b = Server::new()
        .add(WhoService::new(Named("b")))
        .listen("mem://random-b")
        .await
        .unwrap();
    let client = WhoClient::connect("list://mem://random-a,mem://random-b?balance=random")
        .await
        .unwrap();
    let seen = ask(&client, 200).await;
    assert!(
        seen.len() == 2 && seen.values().all(|count| *count > 50),
        "{seen:?}"
    );
}

#[tokio::test]
async fn an_instance_that_cannot_be_reached_is_passed_over_at_once() {
    let _b = Server::new()
        .add(WhoService::new(Named("b")))
        .listen("mem://over-b")
        .await
        .unwrap();
    let client = WhoClient::connect("list://mem://over-nobody,mem://over-b")
        .await
        .unwrap();
    assert_eq!(ask(&client, 20).await, HashMap::from([("b".into(), 20)]));
}

#[tokio::test]
async fn a_call_that_was_not_sent_goes_to_the_next_instance() {
    let a = Server::new()
        .add(WhoService::new(Named("a")))
        .listen("mem://next-a")
        .await
        .unwrap();
    let _b = Server::new()
        .add(WhoService::new(Named("b")))
        .listen("mem://next-b")
        .await
        .unwrap();
    let client = WhoClient::connect("list://mem://next-a,mem://next-b")
        .await
        .unwrap();
    assert_eq!(ask(&client, 10).await.len(), 2);
    drop(a);
    assert_eq!(ask(&client, 20).await, HashMap::from([("b".into(), 20)]));
}

#[tokio::test(start_paused = true)]
async fn the_registry_server_lists_watches_and_forgets() {
    let (server, _) = registry_server("mem://lists").await;
    let registry = RemoteRegistry::new(server.address()).unwrap();
    assert!(
        registry
            .snapshot(SERVICE)
            .await
            .unwrap()
            .instances
            .is_empty()
    );

    let mut instance = Instance::new(SERVICE, "tcp://10.0.0.1:7000");
    instance
        .metadata
        .insert("rack".to_owned(), "äöü".to_owned());
    let lease = registry
        .register(&instance, Duration::from_secs(15))
        .await
        .unwrap();
    let now = registry.snapshot(SERVICE).await.unwrap();
    assert_eq!(now.instances, [instance.clone()]);
    assert_eq!(registry.names().await.unwrap(), [SERVICE]);

    // A lease that is renewed lives on, one that is not runs out, and whoever watches is told then.
    sleep(Duration::from_secs(10)).await;
    assert_eq!(registry.renew(&lease).await.unwrap(), Renewal::Renewed);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(registry.snapshot(SERVICE).await.unwrap().instances.len(), 1);
    let before = Instant::now();
    let gone = registry.changed(SERVICE, now.cursor).await.unwrap();
    assert!(gone.instances.is_empty());
    assert_eq!(before.elapsed().as_secs(), 5);
    assert_eq!(registry.renew(&lease).await.unwrap(), Renewal::Lost);

    // A watch without a change comes back by itself.
    let before = Instant::now();
    assert_eq!(registry.changed(SERVICE, gone.cursor).await.unwrap(), gone);
    assert_eq!(before.elapsed().as_secs(), 30);

    let again = registry
        .register(&instance, Duration::from_secs(15))
        .await
        .unwrap();
    registry.deregister(&lease).await.unwrap();
    assert_eq!(
        registry.snapshot(SERVICE).await.unwrap().instances.len(),
        1,
        "an old lease removes nothing"
    );
    registry.deregister(&again).await.unwrap();
    assert!(
        registry
            .snapshot(SERVICE)
            .await
            .unwrap()
            .instances
            .is_empty()
    );

    let refused = registry
        .register(&instance, Duration::ZERO)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_provider_registers_again_when_the_registry_comes_back_empty() {
    let (first, _) = registry_server("mem://restart").await;
    let registry = || RemoteRegistry::new("mem://restart").unwrap();
    let _provider = provider("a", "mem://restart-a", registry()).await;
    until_listed(&registry(), 1).await;
    let client = WhoClient::new(Channel::discover(registry(), SERVICE));
    assert_eq!(client.name().await.unwrap(), "a");

    drop(first);
    for _ in 0..20 {
        sleep(Duration::from_secs(30)).await;
        assert_eq!(
            client.name().await.unwrap(),
            "a",
            "calls go on without the registry"
        );
    }
    let (_second, list) = registry_server("mem://restart").await;
    let started = Instant::now();
    while list.all().is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "not registered again"
        );
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(client.name().await.unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_stops_leaves_the_list_at_once_and_one_that_dies_after_its_lease() {
    let list = InProcess::new();
    let mut polite = provider("polite", "mem://leave-polite", list.clone()).await;
    let dead = provider("dead", "mem://leave-dead", list.clone()).await;
    until_listed(&list, 2).await;
    let started = Instant::now();
    tokio::join!(polite.shutdown(Duration::from_secs(5)), async {
        until_listed(&list, 1).await;
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{:?}",
            started.elapsed()
        );
    });
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "it serves on until everybody knows"
    );
    let started = Instant::now();
    drop(dead);
    until_listed(&list, 0).await;
    assert!(
        started.elapsed() <= Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_down_at_the_start_is_a_clear_error() {
    let failure = WhoClient::connect("registry://127.0.0.1:1")
        .await
        .unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::Unavailable, Execution::NotSent)
    );
    let text = failure.to_string();
    assert!(
        text.contains("nobody is known to provide test.v1.Who: the registry at tcp://127.0.0.1:1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_name_that_nobody_provides_is_a_clear_error() {
    let (server, _) = registry_server("tcp://127.0.0.1:0").await;
    let address = server.address().replace("tcp://", "registry://");
    let failure = WhoClient::connect(&address).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unavailable);
    assert!(
        failure
            .to_string()
            .contains("the registry knows no instance of test.v1.Who"),
        "{failure}"
    );
    let failure = Channel::connect(&address).await.unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("write registry://host:port/package.Service"),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_kinds_of_client_find_a_provider_by_its_name() {
    let (server, list) = registry_server("tcp://127.0.0.1:0").await;
    let _provider = provider(
        "a",
        "tcp://127.0.0.1:0",
        RemoteRegistry::new(server.address()).unwrap(),
    )
    .await;
    until_listed(&list, 1).await;
    let address = server.address().replace("tcp://", "registry://");
    assert_eq!(
        WhoClient::connect(&address)
            .await
            .unwrap()
            .name()
            .await
            .unwrap(),
        "a"
    );
    let by_name = Channel::connect(format!("{address}/{SERVICE}"))
        .await
        .unwrap();
    assert_eq!(WhoClient::new(by_name).name().await.unwrap(), "a");
    let blocking = std::thread::spawn(move || {
        WhoBlockingClient::connect(&address)
            .unwrap()
            .name()
            .unwrap()
    });
    assert_eq!(blocking.join().unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_file_is_a_registry_and_is_read_again() {
    let path = std::env::temp_dir().join(format!("rpc-registry-{}.txt", std::process::id()));
    let _a = Server::new()
        .add(WhoService::new(Named("a")))
        .listen("mem://file-a")
        .await
        .unwrap();
    let _b = Server::new()
        .add(WhoService::new(Named("b")))
        .listen("mem://file-b")
        .await
        .unwrap();
    fs::write(&path, "# one line an instance\nmem://file-a\n").unwrap();
    let client = WhoClient::connect(format!("file://{}", path.display()))
        .await
        .unwrap();
    assert_eq!(client.name().await.unwrap(), "a");
    fs::write(
        &path,
        "test.v1.Who mem://file-b\nother.Service mem://file-a\n",
    )
    .unwrap();
    while client.name().await.unwrap() != "b" {
        sleep(Duration::from_secs(1)).await;
    }
    fs::write(&path, "this is no address\n").unwrap();
    sleep(Duration::from_secs(90)).await;
    assert_eq!(
        client.name().await.unwrap(),
        "b",
        "a file with a mistake changes nothing"
    );
    fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn an_address_that_nobody_can_call_is_not_registered() {
    let refused = Server::new()
        .add(WhoService::new(Named("a")))
        .register(InProcess::new())
        .listen("tcp://0.0.0.0:0")
        .await;
    let text = refused.unwrap_err().to_string();
    assert!(
        text.contains("say which one with Server::advertise"),
        "{text}"
    );
    let list = InProcess::new();
    let server = Server::new()
        .add(WhoService::new(Named("a")))
        .register(list.clone())
        .advertise("tcp://192.0.2.1:7000");
    let _serving = server.listen("tcp://127.0.0.1:0").await.unwrap();
    until_listed(&list, 1).await;
    assert_eq!(list.all()[0].address, "tcp://192.0.2.1:7000");
}

#[tokio::test(start_paused = true)]
async fn calls_on_an_instance_that_leaves_the_list_end_before_its_connection() {
    let list = InProcess::new();
    let listen = |name, address| {
        Server::new()
            .add(WhoService::new(Named(name)))
            .listen(address)
    };
    let a = listen("a", "mem://gone-a").await.unwrap();
    let _b = listen("b", "mem://gone-b").await.unwrap();
    let ttl = Duration::from_secs(3600);
    let lease = list
        .register(&Instance::new(SERVICE, "mem://gone-a"), ttl)
        .await
        .unwrap();
    let client = WhoClient::new(Channel::discover(list.clone(), SERVICE));
    assert_eq!(client.name().await.unwrap(), "a");
    let calls: Vec<_> = (0..3).map(|_| client.name_later().start()).collect();
    let dropped = client.name_later().start();
    list.register(&Instance::new(SERVICE, "mem://gone-b"), ttl)
        .await
        .unwrap();
    list.deregister(&lease).await.unwrap();
    while client.name().await.unwrap() != "b" {
        tokio::task::yield_now().await;
    }
    assert_eq!(a.connections(), 1, "calls are running there");
    drop(dropped);
    for call in calls {
        assert_eq!(call.await.unwrap(), "a");
    }
    let started = Instant::now();
    while a.connections() > 0 {
        sleep(Duration::from_millis(1)).await;
        assert!(started.elapsed() < Duration::from_secs(1), "it closes");
    }
}

#[tokio::test]
async fn an_address_that_stands_twice_on_a_list_is_connected_to_once() {
    let list = InProcess::new();
    let serving = provider("a", "mem://twice", list.clone()).await;
    until_listed(&list, 1).await;
    let earlier_life = Instance {
        id: "before".to_owned(),
        ..Instance::new(SERVICE, "mem://twice")
    };
    let unknown = Instance::new(SERVICE, "quic://of.times.to.come:1");
    let ttl = Duration::from_secs(15);
    list.register(&earlier_life, ttl).await.unwrap();
    list.register(&unknown, ttl).await.unwrap();
    let client = WhoClient::new(Channel::discover(list, SERVICE));
    assert_eq!(ask(&client, 6).await["a"], 6);
    assert_eq!(serving.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_kept_and_given_up_by_nobody_but_who_took_it() {
    let (server, _) = registry_server("mem://stolen-lease").await;
    let owner = RemoteRegistry::new(server.address()).unwrap();
    let thief = RemoteRegistry::new(server.address()).unwrap();
    let ttl = Duration::from_secs(15);
    let lease = owner
        .register(&Instance::new(SERVICE, "mem://provider"), ttl)
        .await
        .unwrap();
    // What everybody sees of an instance is all of its lease but the token.
    let seen = thief.snapshot(SERVICE).await.unwrap().instances;
    assert_eq!(seen[0].id, lease.instance);
    let own = thief
        .register(&Instance::new("test.v1.Other", "mem://thief"), ttl)
        .await
        .unwrap();
    let guesses = [0, 1, u64::MAX, own.token, own.token + 1, !lease.token]
        .into_iter()
        .chain((0..64).map(|bit| lease.token ^ 1 << bit));
    let forged: Vec<Lease> = guesses
        .map(|token| Lease {
            token,
            ..lease.clone()
        })
        .collect();
    sleep(ttl / 2).await;
    for lease in &forged {
        assert_eq!(thief.renew(lease).await.unwrap(), Renewal::Lost);
        thief.deregister(lease).await.unwrap();
    }
    assert_eq!(owner.snapshot(SERVICE).await.unwrap().instances, seen);
    assert_eq!(owner.renew(&lease).await.unwrap(), Renewal::Renewed);
    // The owner falls silent: nobody keeps it on the list.
    for _ in 0..4 {
        sleep(ttl / 4).await;
        thief.renew(&forged[0]).await.unwrap();
    }
    let gone = thief.snapshot(SERVICE).await.unwrap();
    assert_eq!(gone.instances, []);
    // A lease that another registration of the same instance has replaced is one of nobody.
    let again = &Instance::new(SERVICE, "mem://provider");
    let old = owner.register(again, ttl).await.unwrap();
    let new = owner.register(again, ttl).await.unwrap();
    assert_eq!(owner.renew(&old).await.unwrap(), Renewal::Lost);
    owner.deregister(&old).await.unwrap();
    assert_eq!(owner.renew(&new).await.unwrap(), Renewal::Renewed);
}
