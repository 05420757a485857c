//! The service that the tests call, and shorthands for both ends.

use rpc_runtime::{
    Channel, ClientTls, Context, Error, Result, Server, ServerTls, Serving, rpc_service,
};

use crate::certificates::{Authority, Made};

#[rpc_service(package = "tls")]
pub trait Mirror {
    /// Who the caller is, by the server's knowledge.
    async fn who(&self, context: &Context) -> String;
    async fn echo(&self, bytes: Vec<u8>) -> Vec<u8>;
    /// Calls back into the caller's own service is not needed here: waits for ever.
    async fn hang(&self) -> u64;
}

pub struct Echo;

impl Mirror for Echo {
    async fn who(&self, context: &Context) -> String {
        match context.identity() {
            Some(identity) => format!("{identity:?}"),
            None => "nobody".to_owned(),
        }
    }

    async fn echo(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    async fn hang(&self) -> u64 {
        std::future::pending().await
    }
}

pub fn server_tls(made: &Made) -> ServerTls {
    ServerTls::from_pem(&made.certificate, &made.key).unwrap()
}

pub fn trusts(authority: &Authority) -> ClientTls {
    ClientTls::from_pem(authority.pem()).unwrap()
}

pub async fn serve(tls: ServerTls) -> Serving {
    let server = Server::new().add(MirrorService::new(Echo)).tls(tls);
    server.listen("tls://127.0.0.1:0").await.unwrap()
}

pub async fn connect(serving: &Serving, tls: ClientTls) -> Result<MirrorClient> {
    let channel = Channel::builder()
        .tls(tls)
        .connect(serving.address())
        .await?;
    Ok(MirrorClient::new(channel))
}

/// What a client is told whose connection cannot be used.
pub async fn refused(serving: &Serving, tls: ClientTls) -> Error {
    match connect(serving, tls).await {
        Err(error) => error,
        Ok(client) => match client.who().await {
            Err(failure) => failure.into(),
            Ok(who) => panic!("the call was answered: {who}"),
        },
    }
}
