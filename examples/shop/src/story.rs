//! The story: starts everything, places orders, kills a payment process in the middle, and goes on.

use std::time::{Duration, Instant};

use rpc_runtime::discovery::{Registry, RemoteRegistry};
use rpc_runtime::reflection::ReflectionClient;
use rpc_runtime::{Channel, Error, ErrorKind, Result};

use crate::load::Load;
use crate::orders::OrderBook;
use crate::process::{LEASE, Process};
use crate::shop::common::v1::{Line, Money};
use crate::shop::order::v1::{Order, OrdersClient, OrdersService, Status};
use crate::shop::payment::v1::{Method, PaymentClient};
use crate::shop::warehouse::v1::WarehouseClient;

/// Orders before and after the kill.
const ORDERS: u64 = 10;

/// Everything from start to end; fails if any order ends otherwise than it should.
pub async fn tell() -> Result<()> {
    println!("== starting a registry, two payment processes and two warehouses");
    let registry = Process::start("registry", &["registry"]).await?;
    println!("   registry     {}", registry.address);
    let mut processes = Vec::new();
    for (role, name) in [
        ("payment", "payment-1"),
        ("payment", "payment-2"),
        ("warehouse", "warehouse-1"),
        ("warehouse", "warehouse-2"),
    ] {
        let process = Process::start(name, &[role, name, &registry.address]).await?;
        println!("   {name:<12} {}", process.address);
        processes.push(process);
    }
    let list = RemoteRegistry::new(&registry.address)?;
    wait_for(&list, PaymentClient::SERVICE.name, 2).await?;
    wait_for(&list, WarehouseClient::SERVICE.name, 2).await?;

    println!("\n== the call-ID table of payment-1, read from the running process");
    print_table(&processes[0].address).await?;

    let by_name = registry.address.replacen("tcp://", "registry://", 1);
    let payment = PaymentClient::connect(&by_name).await?;
    let warehouse = WarehouseClient::connect(&by_name).await?;
    let book = OrderBook::new(payment, warehouse);
    // Orders are in this process: the same stub, straight on the skeleton, with nothing between.
    let orders = OrdersClient::new(Channel::local(OrdersService::new(book.clone())));

    println!("\n== {ORDERS} orders");
    place(&orders, 1..=ORDERS).await?;

    println!("\n== killing payment-1 with SIGKILL under load, and going on");
    let victim = processes[0].address.clone();
    let load = Load::start(&by_name).await?;
    load.until("payment-1").await;
    let killed = Instant::now();
    processes[0].kill().await;
    place(&orders, ORDERS + 1..=2 * ORDERS).await?;
    let gone = wait_for(&list, PaymentClient::SERVICE.name, 1).await?;
    println!("   the registry dropped {victim} after {gone:.1?} (its lease is {LEASE:?})");
    println!("   {}", load.stop(killed, "payment-1").await?);

    println!("\n== three orders that cannot be fulfilled");
    refused(
        &orders,
        101,
        Method::Card {
            number: "0000111122223333".to_owned(),
            holder: None,
        },
    )
    .await?;
    refused(&orders, 102, Method::Voucher("GUESSED".to_owned())).await?;
    let pots = order(
        103,
        vec![Line::new("POT-3").with_count(3)],
        Method::Transfer,
    );
    orders.place(&pots).await?;

    book.settled().await;
    println!("\n== what became of them");
    let all = book.all();
    for order in &all {
        println!(
            "   {:>3}  {:<8} {}",
            order.id,
            order.status.to_string(),
            order.history.join(" > ")
        );
    }
    let packed = all
        .iter()
        .filter(|order| order.status == Status::Packed)
        .count() as u64;
    let refused = all.len() as u64 - packed;
    println!("\n{packed} packed, {refused} refused");
    if (packed, refused) != (2 * ORDERS, 3) {
        return Err(Error::new(
            ErrorKind::Internal,
            "the story should end with 20 packed and 3 refused",
        ));
    }
    Ok(())
}

/// Waits until the registry lists so many instances; returns how long that took.
async fn wait_for(registry: &RemoteRegistry, service: &str, count: usize) -> Result<Duration> {
    let started = Instant::now();
    let mut listing = registry.snapshot(service).await?;
    while listing.instances.len() != count {
        listing = registry.changed(service, listing.cursor).await?;
    }
    Ok(started.elapsed())
}

async fn print_table(address: &str) -> Result<()> {
    let reflection = ReflectionClient::connect(address).await?;
    for service in reflection.services().await? {
        println!(
            "   {} (fingerprint {:016x})",
            service.name, service.fingerprint
        );
        for method in service.methods {
            println!(
                "   {:>18}  {}{}",
                method.call_id, method.name, method.signature
            );
        }
    }
    Ok(())
}

fn order(id: u64, lines: Vec<Line>, method: Method) -> Order {
    let total = Money::new(lines.iter().map(|line| i64::from(line.count) * 450).sum());
    Order::new(id, lines, total, method)
}

async fn place(orders: &OrdersClient, ids: std::ops::RangeInclusive<u64>) -> Result<()> {
    for id in ids {
        let method = match id % 3 {
            0 => Method::Voucher("WELCOME".to_owned()),
            1 => Method::Card {
                number: "4111111111111111".to_owned(),
                holder: Some("A. Nobody".to_owned()),
            },
            _ => Method::Transfer,
        };
        let placed = orders
            .place(&order(
                id,
                vec![Line::new("TEA-1").with_count(2), Line::new("CUP-2")],
                method,
            ))
            .await?;
        println!("   order {id:>2}: {}", placed.history.join(" > "));
    }
    Ok(())
}

async fn refused(orders: &OrdersClient, id: u64, method: Method) -> Result<()> {
    match orders
        .place(&order(id, vec![Line::new("TEA-1")], method))
        .await
    {
        Ok(_) => Err(Error::new(
            ErrorKind::Internal,
            format!("order {id} should have been refused"),
        )),
        Err(failure) => {
            println!("   order {id}: {failure}");
            Ok(())
        }
    }
}
