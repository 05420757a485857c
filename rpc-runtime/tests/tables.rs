//! Call-ID tables: compared, collided, read from a running server, and used to explain what went wrong.

use rpc_runtime::reflection::ReflectionClient;
use rpc_runtime::{ErrorKind, Execution, Server, rpc_service};

mod first {
    #[rpc_runtime::rpc_service(package = "table.v1")]
    pub(crate) trait Greeter {
        async fn hello(&self, name: &str) -> String;
    }
}

/// A later version of the same service: `hello` was renamed, its parameter is another.
mod second {
    #[rpc_runtime::rpc_service(package = "table.v1")]
    pub(crate) trait Greeter {
        async fn helo(&self, name: u64) -> String;
    }
}

struct English;

impl first::Greeter for English {
    async fn hello(&self, name: &str) -> String {
        format!("Hello, {name}!")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_method_names_the_closest_one_and_both_fingerprints() {
    let server = Server::new()
        .add(first::GreeterService::new(English))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let client = second::GreeterClient::connect(server.address())
        .await
        .unwrap();
    let failure = client.helo(1).await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::Unimplemented, Execution::NotStarted)
    );
    let theirs = format!("{:016x}", first::GreeterClient::SERVICE.fingerprint);
    let ours = format!("{:016x}", second::GreeterClient::SERVICE.fingerprint);
    let text = failure.to_string();
    for part in [
        "has no method table.v1.Greeter/helo",
        "did you mean `hello`?",
        &theirs,
        &ours,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(
        client.channel().peer_fingerprint("table.v1.Greeter"),
        Some(first::GreeterClient::SERVICE.fingerprint)
    );

    assert_eq!(client.channel().fingerprint_mismatches(), 1);
    let same = first::GreeterClient::connect(server.address())
        .await
        .unwrap();
    assert_eq!(same.channel().fingerprint_mismatches(), 0);

    let address = server.address().to_owned();
    let blocking = std::thread::spawn(move || {
        let client = second::GreeterBlockingClient::connect(&address).unwrap();
        client.helo(1).unwrap_err().to_string()
    });
    assert!(blocking.join().unwrap().contains("did you mean `hello`?"));
}

#[tokio::test]
async fn an_unknown_service_names_what_is_served() {
    #[rpc_service(package = "other.v1")]
    trait Clock {
        async fn now(&self) -> u64;
    }
    let server = Server::new()
        .add(first::GreeterService::new(English))
        .listen("mem://tables-other")
        .await
        .unwrap();
    let failure = ClockClient::connect(server.address())
        .await
        .unwrap()
        .now()
        .await
        .unwrap_err();
    assert!(
        failure.to_string().contains("it serves table.v1.Greeter"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_running_server_tells_its_table() {
    let server = Server::new()
        .add(first::GreeterService::new(English))
        .listen("mem://tables-read")
        .await
        .unwrap();
    let services = ReflectionClient::connect(server.address())
        .await
        .unwrap()
        .services()
        .await
        .unwrap();
    let greeter = services
        .iter()
        .find(|service| service.name == "table.v1.Greeter")
        .unwrap();
    let ours = first::GreeterClient::SERVICE;
    assert_eq!(
        (greeter.fingerprint, greeter.methods.len()),
        (ours.fingerprint, 1)
    );
    assert_eq!(
        (greeter.methods[0].call_id, &*greeter.methods[0].name),
        (ours.methods[0].id, "hello")
    );
    assert_eq!(server.services().len(), services.len());
}

#[tokio::test]
async fn two_methods_with_one_call_id_do_not_start() {
    #[rpc_service]
    trait One {
        #[rpc(id = 5000)]
        async fn first(&self);
    }
    #[rpc_service]
    trait Two {
        #[rpc(id = 5000)]
        async fn second(&self);
    }
    struct Nothing;
    impl One for Nothing {
        async fn first(&self) {}
    }
    impl Two for Nothing {
        async fn second(&self) {}
    }
    let server = Server::new()
        .add(OneService::new(Nothing))
        .add(TwoService::new(Nothing));
    let failure = server.listen("mem://tables-collide").await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::FailedPrecondition);
    for part in ["One/first", "Two/second", "#[rpc(id = 5001)]"] {
        assert!(failure.to_string().contains(part), "{part}: {failure}");
    }
}
