//! The market: makes a stream, reads one, does both at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rpc_runtime::{Items, Stream, stream};

use crate::market::v1::{Market, MarketError, Tick};

/// Where shares are traded.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    uploaded: Arc<AtomicU64>,
}

impl Market for Exchange {
    async fn watch(
        &self,
        symbol: String,
    ) -> Result<impl Stream<Item = Result<Tick, MarketError>>, MarketError> {
        let closes = match symbol.as_str() {
            "ACME" => u64::MAX,
            "OLDE" => 102,
            _ => return Err(MarketError::NotTraded(symbol)),
        };
        // Without an end, and yet never ahead of a caller who reads slowly: an item is made when there is room for it.
        Ok(stream::iter((100..).map(move |cents| {
            if cents < closes {
                Ok(Tick::new(&symbol, cents))
            } else {
                Err(MarketError::Closed { last_cents: cents })
            }
        })))
    }

    async fn upload(&self, name: String, mut pieces: Items<Vec<u8>>) -> u64 {
        let mut length = 0;
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => length += piece.len() as u64,
                // The caller gave up, or its connection broke: half a file is none.
                Err(error) => {
                    println!("            (half of {name} came: {error})");
                    return 0;
                }
            }
        }
        self.uploaded.fetch_add(length, Ordering::Relaxed);
        length
    }

    async fn chat(&self, mut lines: Items<String>) -> impl Stream<Item = String> {
        let (say, answers) = stream::pipe(4);
        tokio::spawn(async move {
            while let Some(Ok(line)) = lines.next().await {
                let answer = format!("{line} yourself");
                if say.send(answer).await.is_err() {
                    break;
                }
            }
        });
        answers
    }
}
