//! A registry that is reached by TLS and knows its providers by their tokens.

use rpc_runtime::discovery::{RegistryServer, RemoteRegistry};
use rpc_runtime::{Channel, ErrorKind, IdentityKind, Rule, Server, Token, Tokens};

use crate::certificates::Authority;
use crate::service::*;

#[tokio::test]
async fn providers_and_consumers_meet_at_a_registry_over_tls() {
    let ca = Authority::new("ca");
    let made = ca.server(&["127.0.0.1"]);
    let token = |text: &str| Token::new(text).unwrap();
    let tokens = Tokens::new()
        .add(token("p"), "provider")
        .add(token("c"), "consumer");
    let provider = || Rule::identity(IdentityKind::Credentials, "provider");
    let registry = Server::new()
        .add(RegistryServer::new().skeleton())
        .tls(server_tls(&made))
        .authenticate(tokens)
        .rule("rpc.registry.v1.Registry", Rule::authenticated())
        .rule("rpc.registry.v1.Registry/register", provider())
        .rule("rpc.registry.v1.Registry/renew", provider())
        .rule("rpc.registry.v1.Registry/deregister", provider())
        .listen("tls://127.0.0.1:0")
        .await
        .unwrap();
    let over = async |text: &str| {
        let builder = Channel::builder().tls(trusts(&ca)).token(token(text));
        RemoteRegistry::over(builder.connect(registry.address()).await.unwrap())
    };
    let server = Server::new()
        .add(MirrorService::new(Echo))
        .tls(server_tls(&made));
    let _serving = server
        .register(over("p").await)
        .listen("tls://127.0.0.1:0")
        .await
        .unwrap();
    let name = MirrorClient::SERVICE.name;
    let seen = over("c").await;
    let listed = async {
        let is_there = |names: Vec<String>| names.iter().any(|known| known == name);
        while !is_there(seen.names().await.unwrap()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), listed)
        .await
        .expect("it registers");
    let channel = Channel::builder().tls(trusts(&ca)).discover(seen, name);
    let client = MirrorClient::new(channel.unwrap());
    assert_eq!(client.who().await.unwrap(), "nobody");

    use rpc_runtime::discovery::{Instance, Registry};
    let consumer = over("c").await;
    let instance = Instance::new(name, "tls://127.0.0.1:1");
    let error = consumer
        .register(&instance, std::time::Duration::from_secs(15))
        .await;
    assert_eq!(
        error.expect_err("a consumer").kind(),
        ErrorKind::PermissionDenied
    );
}
