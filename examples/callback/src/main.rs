//! An auction: a server calls its clients back, and objects go by reference: `cargo run -p callback`.
//!
//! 1. A seller opens a lot. It gives the house an object of its own, which hears of every bid, and gets another one
//!    back: the lot, which lives in the house. Both are called like any service, as long as somebody holds them.
//! 2. A bidder exports a service, its purse, when it connects. While it bids, the lot asks that purse, on the same
//!    connection: `Context::caller()`. No port is open at the bidder.
//! 3. The lot is sold; with the last handle the seller's object goes.
//!
//! `house.rs` is the server, this file its two clients.

mod house;

use rpc_runtime::{CallError, Channel, Context, Handle, Result, Server, rpc_service};
use serde::{Deserialize, Serialize};

/// The house: where lots are opened and found.
#[rpc_service]
pub trait Auctions {
    /// Opens a lot; the seller's object hears of its bids.
    async fn open(&self, what: &str, seller: Handle<SellerClient>) -> Handle<LotClient>;
    /// A lot that is open. The house lends it to whoever asks, each time anew: handles do not go from client to client.
    async fn find(&self, what: &str) -> Option<Handle<LotClient>>;
}

/// One lot, an object of the house.
#[rpc_service]
pub trait Lot {
    /// Bids for it, if the bidder's purse agrees.
    async fn bid(&self, context: &Context, cents: u64) -> std::result::Result<(), NotTaken>;
    /// Gives it to the highest bid, and tells that.
    async fn sell(&self) -> u64;
}

/// What a seller hears: an object of the client.
#[rpc_service]
pub trait Seller {
    /// Somebody has bid so much.
    async fn heard(&self, cents: u64);
}

/// What a bidder exports: a service of the client.
#[rpc_service]
pub trait Purse {
    /// Whether so much may be spent.
    async fn allows(&self, cents: u64) -> bool;
}

/// Why a bid was not taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum NotTaken {
    /// There is a higher one.
    TooLow(u64),
    /// The bidder's purse said no.
    NotAllowed,
    /// The bidder exports no purse, or it cannot be asked.
    NoPurse(String),
}

struct Ear;

impl Seller for Ear {
    async fn heard(&self, cents: u64) {
        println!("seller      hears: {cents}");
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        println!("seller      nobody holds my object any more");
    }
}

struct Wallet {
    cents: u64,
}

impl Purse for Wallet {
    async fn allows(&self, cents: u64) -> bool {
        let agrees = cents <= self.cents;
        println!(
            "bidder      is asked for {cents}: {}",
            if agrees { "yes" } else { "no" }
        );
        agrees
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::new()
        .add(AuctionsService::new(house::House::default()))
        .listen("tcp://127.0.0.1:0")
        .await?;

    let seller = AuctionsClient::connect(server.address()).await?;
    let ear = Handle::new(SellerService::new(Ear));
    let lot = seller.open("a teapot", ear).await?;

    let bidder: AuctionsClient = Channel::builder()
        .export(PurseService::new(Wallet { cents: 500 }))
        .client(server.address())
        .await?;
    let teapot = bidder.find("a teapot").await?.expect("it was opened");
    for cents in [300, 200, 400, 900] {
        match teapot.bid(cents).await {
            Ok(()) => println!("bidder      bids {cents}"),
            Err(CallError::Declared { error, .. }) => {
                println!("bidder      bids {cents}: {error:?}")
            }
            Err(CallError::Failed(failure)) => println!("bidder      bids {cents}: {failure}"),
        }
    }
    // The seller has exported nothing, so nobody can ask its purse.
    if let Err(CallError::Declared { error, .. }) = lot.bid(1_000).await {
        println!("seller      bids 1000: {error:?}");
    }

    println!("seller      sells for {}", lot.sell().await?);
    assert!(bidder.find("a teapot").await?.is_none());
    // The last handles to the lot; with the lot goes the house's handle to the seller's object.
    drop((lot, teapot));
    seller
        .find("nothing: by this answer the house has heard of it")
        .await?;
    Ok(())
}
