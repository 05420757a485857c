//! A server and the ways to it, on each transport; and the macro that plays every case on all of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use interop::testing::v1::{TestServiceBlockingClient, TestServiceClient, TestServiceServer};
use rpc_runtime::{
    BlockingChannel, BlockingChannelBuilder, Channel, ChannelBuilder, Limits, Server, Serving,
};
use tokio::time::timeout;

use crate::service::{Desk, Seen};

/// Nothing in these tests waits on purpose; what takes this long hangs.
pub const LONG: Duration = Duration::from_secs(30);

/// What the bytes travel over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Unix,
    Mem,
    #[cfg(feature = "tls")]
    Tls,
}

/// A server that serves the test service.
pub struct Stage {
    pub serving: Serving,
    pub seen: Arc<Seen>,
    pub access: Access,
}

/// What a client has to know.
#[derive(Clone)]
pub struct Access {
    pub address: String,
    #[cfg(feature = "tls")]
    trust: Option<rpc_runtime::ClientTls>,
}

impl Stage {
    pub async fn new(transport: Transport) -> Self {
        Self::with(transport, |server| server).await
    }

    pub async fn with_limits(transport: Transport, limits: Limits) -> Self {
        Self::with(transport, |server| server.limits(limits)).await
    }

    pub async fn with(transport: Transport, change: impl FnOnce(Server) -> Server) -> Self {
        let desk = Desk::default();
        let seen = desk.seen.clone();
        let server = change(Server::new().add(TestServiceServer::new(desk)));
        let address = match transport {
            Transport::Tcp => "tcp://127.0.0.1:0".to_owned(),
            Transport::Mem => format!("mem://interop-{}", number()),
            Transport::Unix => format!("unix://{}", socket().display()),
            #[cfg(feature = "tls")]
            Transport::Tls => "tls://127.0.0.1:0".to_owned(),
        };
        #[cfg(feature = "tls")]
        let (server, trust) = match transport {
            Transport::Tls => {
                let (certificate, key) = certificate();
                let trust = rpc_runtime::ClientTls::from_pem(&certificate).unwrap();
                let tls = rpc_runtime::ServerTls::from_pem(&certificate, &key).unwrap();
                (server.tls(tls), Some(trust))
            }
            _ => (server, None),
        };
        let serving = server.listen(&address).await.unwrap();
        let access = Access {
            address: serving.address().to_owned(),
            #[cfg(feature = "tls")]
            trust,
        };
        Self {
            serving,
            seen,
            access,
        }
    }

    pub async fn client(&self) -> TestServiceClient {
        self.access.client().await
    }

    pub async fn channel(&self) -> Channel {
        self.access.connect(Channel::builder()).await
    }
}

impl Access {
    /// To a peer that needs no trust.
    pub fn to(address: String) -> Self {
        Self {
            address,
            #[cfg(feature = "tls")]
            trust: None,
        }
    }

    /// To a peer that shows this certificate.
    #[cfg(feature = "tls")]
    pub fn trusting(address: String, certificate: &str) -> Self {
        let trust = Some(rpc_runtime::ClientTls::from_pem(certificate).unwrap());
        Self { address, trust }
    }

    pub async fn client(&self) -> TestServiceClient {
        TestServiceClient::new(self.connect(Channel::builder()).await)
    }

    pub async fn connect(&self, builder: ChannelBuilder) -> Channel {
        #[cfg(feature = "tls")]
        let builder = match &self.trust {
            Some(trust) => builder.tls(trust.clone()),
            None => builder,
        };
        builder.connect(&self.address).await.unwrap()
    }

    pub fn blocking(&self) -> TestServiceBlockingClient {
        TestServiceBlockingClient::new(self.connect_blocking(BlockingChannel::builder()))
    }

    pub fn connect_blocking(&self, builder: BlockingChannelBuilder) -> BlockingChannel {
        #[cfg(feature = "tls")]
        let builder = match &self.trust {
            Some(trust) => builder.tls(trust.clone()),
            None => builder,
        };
        builder.connect(&self.address).unwrap()
    }
}

/// Another one each time.
fn number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A path that is free.
pub fn socket() -> PathBuf {
    let name = format!("rpc-interop-{}-{}.sock", std::process::id(), number());
    std::env::temp_dir().join(name)
}

/// A certificate for 127.0.0.1 that vouches for itself, and its key.
#[cfg(feature = "tls")]
pub fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Plays a case to its end.
pub async fn play(case: impl Future<Output = ()>) {
    timeout(LONG, case).await.expect("the case comes to an end");
}

/// Makes of each case, a function of the transport, one test for each transport: `tcp::large_unary`.
macro_rules! on_every_transport {
    ($($case:ident),* $(,)?) => {
        crate::stage::on_every_transport!(@ tcp Tcp $($case)*);
        #[cfg(unix)]
        crate::stage::on_every_transport!(@ unix Unix $($case)*);
        crate::stage::on_every_transport!(@ mem Mem $($case)*);
        #[cfg(feature = "tls")]
        crate::stage::on_every_transport!(@ tls Tls $($case)*);
    };
    (@ $module:ident $transport:ident $($case:ident)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    crate::stage::play(super::$case(crate::stage::Transport::$transport)).await;
                }
            )*
        }
    };
}
pub(crate) use on_every_transport;

/// The same for those that can be played by hand: what goes over `mem` is nobody's socket.
macro_rules! on_every_socket {
    ($($case:ident),* $(,)?) => {
        crate::stage::on_every_transport!(@ tcp Tcp $($case)*);
        #[cfg(unix)]
        crate::stage::on_every_transport!(@ unix Unix $($case)*);
        #[cfg(feature = "tls")]
        crate::stage::on_every_transport!(@ tls Tls $($case)*);
    };
}
pub(crate) use on_every_socket;
