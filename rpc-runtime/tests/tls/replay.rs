//! Nothing of an earlier connection can be said again: no tickets, no resumption, no early data.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::certificates::Authority;
use crate::service::*;

#[tokio::test]
async fn a_client_that_wants_to_resume_and_send_early_gets_neither() {
    let ca = Authority::new("ca");
    let serving = serve(server_tls(&ca.server(&["127.0.0.1"]))).await;
    let mut roots = RootCertStore::empty();
    let root = rustls::pki_types::CertificateDer::from_pem_slice(ca.pem().as_bytes());
    roots.add(root.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"rpcidl/1".to_vec()];
    config.enable_early_data = true;
    let connector = TlsConnector::from(Arc::new(config));
    for _ in 0..2 {
        let tcp = TcpStream::connect(serving.address().trim_start_matches("tls://"));
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = connector
            .connect_with(name, tcp.await.unwrap(), |session| {
                assert!(session.early_data().is_none(), "there is a ticket for it");
            })
            .await
            .unwrap();
        // Tickets, if there were any, would come before the server's HELLO.
        stream
            .write_all(b"\xabRPCIDL\x01\x09\0\0\0\x01\0\0\0\0\0\0\0\x80")
            .await
            .unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        assert_eq!(hello[4], 1, "HELLO");
        let session = stream.get_ref().1;
        assert_eq!(session.tls13_tickets_received(), 0);
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
        assert!(!session.is_early_data_accepted());
    }
}
