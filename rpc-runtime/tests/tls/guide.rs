//! Every block of Rust of docs/security.md stands here as well, and so compiles.

use rpc_runtime::{Result, Serving};

use crate::certificates::Authority;

const PAGE: &str = include_str!("../../../docs/security.md");
const HERE: &str = include_str!("guide.rs");

#[expect(dead_code, reason = "it has to compile, no more")]
async fn serves() -> Result<Serving> {
    use rpc_runtime::{Server, ServerTls};

    let tls = ServerTls::from_files("server.pem", "server.key")?;
    let serving = Server::new().tls(tls).listen("tls://0.0.0.0:7443").await?;
    Ok(serving)
}

#[expect(dead_code, reason = "it has to compile, no more")]
async fn connects() -> Result<()> {
    use rpc_runtime::{Channel, ClientTls};

    let tls = ClientTls::from_file("ca.pem")?;
    let channel = Channel::builder()
        .tls(tls)
        .connect("tls://shop.example:7443")
        .await?;
    // let shop = ShopClient::new(channel);
    drop(channel);
    Ok(())
}

#[expect(dead_code, reason = "it has to compile, no more")]
fn takes_clients() -> Result<()> {
    use rpc_runtime::ServerTls;
    let tls = ServerTls::from_files("server.pem", "server.key")?
        .require_clients(std::fs::read("clients-ca.pem").expect("the CA of the clients"))?;
    drop(tls);
    Ok(())
}

#[expect(dead_code, reason = "it has to compile, no more")]
fn reloads(serving: &Serving) -> Result<()> {
    use rpc_runtime::ServerTls;
    serving.reload_tls(&ServerTls::from_files("server.pem", "server.key")?)?;
    Ok(())
}

#[expect(dead_code, reason = "it has to compile, no more")]
async fn shows_a_token(tls: rpc_runtime::ClientTls) -> Result<()> {
    use rpc_runtime::{Channel, Token};

    let token = Token::new(std::env::var("SHOP_TOKEN").unwrap_or_default())?;
    let channel = Channel::builder()
        .tls(tls)
        .token(token)
        .connect("tls://shop.example:7443")
        .await?;
    drop(channel);
    Ok(())
}

#[test]
fn tables_of_tokens_are_made_as_the_page_says() -> Result<()> {
    use rpc_runtime::{Server, Token, Tokens};

    let tokens = Tokens::new()
        .add(Token::new("long-and-random-1")?, "billing")
        .add(Token::new("long-and-random-2")?, "shipping");
    let server = Server::new().authenticate(tokens);
    drop(server);
    Ok(())
}

#[test]
fn authenticators_are_made_as_the_page_says() {
    async fn verify(token: &str) -> Option<&str> {
        token.strip_prefix("name:")
    }

    use rpc_runtime::{Error, ErrorKind, Identity, Login, Server};
    use std::time::Duration;

    let server = Server::new().authenticate(async |login: Login| {
        let Some(token) = login.token() else {
            return Ok(None); // may come in, as nobody
        };
        match verify(token.reveal()).await {
            Some(name) => Ok(Some(
                Identity::new(name).valid_for(Duration::from_secs(3600)),
            )),
            None => Err(Error::new(
                ErrorKind::Unauthenticated,
                "the token is not valid",
            )),
        }
    });
    drop(server);
}

#[test]
fn rules_are_made_as_the_page_says() {
    use rpc_runtime::{IdentityKind, Rule, Server};

    let server = Server::new()
        .rule("shop.v1.Shop", Rule::authenticated())
        .rule(
            "shop.v1.Shop/refund",
            Rule::identity(IdentityKind::Credentials, "billing"),
        )
        .rule(
            "shop.v1.Shop/refund",
            Rule::spiffe("spiffe://example.org/billing"),
        )
        .rule("rpc.health.v1.Health", Rule::all());
    drop(server);
}

/// Without spaces, line breaks and the commas that rustfmt adds: layout is no difference.
fn bare(text: &str) -> String {
    text.split_whitespace()
        .collect::<String>()
        .replace(",)", ")")
        .replace(",}", "}")
}

#[test]
fn every_block_of_the_page_stands_here() {
    let here = bare(HERE);
    let blocks: Vec<_> = PAGE
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 8);
    for block in blocks {
        assert!(here.contains(&bare(block)), "{block}");
    }
}

#[test]
fn the_shell_commands_of_the_page_make_certificates_that_are_taken() {
    let block = PAGE
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let directory = std::env::temp_dir().join(format!("rpc-guide-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let outcome = std::process::Command::new("sh")
        .args(["-e", "-c", block])
        .current_dir(&directory)
        .output()
        .unwrap();
    let read = |name: &str| std::fs::read(directory.join(name)).unwrap_or_default();
    let (ca, certificate, key) = (read("ca.pem"), read("server.pem"), read("server.key"));
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(
        outcome.status.success(),
        "{}",
        String::from_utf8_lossy(&outcome.stderr)
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let tls = rpc_runtime::ServerTls::from_pem(certificate, key).unwrap();
        let serving = crate::service::serve(tls).await;
        let trusts = rpc_runtime::ClientTls::from_pem(ca).unwrap();
        crate::service::connect(&serving, trusts)
            .await
            .unwrap()
            .who()
            .await
            .unwrap();
        let error =
            crate::service::refused(&serving, crate::service::trusts(&Authority::new("x"))).await;
        assert!(error.to_string().contains("not among the roots"), "{error}");
    });
}
