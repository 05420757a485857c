//! A greeting over TCP with tonic.

use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::hello::greeter_client::GreeterClient;
use crate::hello::greeter_server::{Greeter, GreeterServer};
use crate::hello::{HelloReply, HelloRequest};

mod hello {
    tonic::include_proto!("hello");
}

struct English;

#[tonic::async_trait]
impl Greeter for English {
    async fn hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        let text = format!("Hello, {}!", request.into_inner().name);
        Ok(Response::new(HelloReply { text }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let server = Server::builder().add_service(GreeterServer::new(English));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let mut greeter = GreeterClient::connect(address).await?;
    let name = "world".to_owned();
    println!(
        "{}",
        greeter
            .hello(HelloRequest { name })
            .await?
            .into_inner()
            .text
    );
    Ok(())
}
