//! The smallest program: a trait, a server and a client over TCP: `cargo run -p hello-trait`.

use rpc_runtime::{Server, rpc_service};

#[rpc_service]
pub trait Greeter {
    async fn hello(&self, name: &str) -> String;
}
struct English;
impl Greeter for English {
    async fn hello(&self, name: &str) -> String {
        format!("Hello, {name}!")
    }
}
#[tokio::main]
async fn main() -> rpc_runtime::Result<()> {
    let hello = GreeterService::new(English);
    let server = Server::new().add(hello).listen("tcp://127.0.0.1:0").await?;
    let greeter = GreeterClient::connect(server.address()).await?;
    println!("{}", greeter.hello("world").await?);
    Ok(())
}
