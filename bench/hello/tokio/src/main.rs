//! The floor: a greeting over TCP with tokio alone.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut name = [0; 64];
            let Ok(length) = stream.read(&mut name).await else {
                return;
            };
            let text = format!("Hello, {}!", String::from_utf8_lossy(&name[..length]));
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"world").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    println!("{answer}");
    Ok(())
}
