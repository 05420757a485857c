//! The client's side: calls, and whether their answers are right. It is a module of `small` too.

use bench_load::{
    Case, Client, Error, Job, LIST_LENGTH, Order as Sample, Result, Stamp, Tally, body,
    body_is_right, list_is_right,
};
use rpc_runtime::{Bytes, Channel, Views, stream};
use tokio::task::JoinHandle;

use super::bench::v1::{BenchClient, Order};

/// One connection.
#[derive(Clone)]
pub struct Connection {
    client: BenchClient,
}

impl Connection {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            client: BenchClient::new(channel),
        }
    }
}

impl Client for Connection {
    fn start(self, job: Job) -> JoinHandle<Tally> {
        tokio::spawn(bench_load::work(self, job))
    }

    async fn call(&self, case: Case, number: u64, body: &[u8]) -> Result<(), Error> {
        match case {
            Case::Add => sum_is_right(self.client.add(number, 1).await?, number),
            Case::Get => order_is_right(&self.client.get(number).await?, number),
            Case::List => orders_are_right(&self.client.list().await?),
            Case::ListByReference => {
                views_are_right(self.client.list_by_reference().view().await?.iter()?)
            }
            Case::Echo => echo_is_right(&self.client.echo(body).await?, body, number),
            Case::Stream => Err("a stream is no call".into()),
        }
    }

    async fn stream(&self, size: usize, count: u64, stamp: &mut Stamp<'_>) -> Result<(), Error> {
        let mut items = self.client.items(size as u64, count).start();
        let mut number = 0;
        while let Some(item) = items.next().await {
            if !body_is_right(&item?, size, number) {
                return Err("a wrong item".into());
            }
            number += 1;
            if !stamp.item() {
                return Ok(());
            }
        }
        if number == count {
            Ok(())
        } else {
            Err("items are missing".into())
        }
    }

    fn upload(self, size: usize, count: u64) -> JoinHandle<Result<(), Error>> {
        let piece = Bytes::from(body(size));
        let pieces = stream::iter((0..count).map(move |_| piece.clone()));
        tokio::spawn(async move {
            let length = self.client.upload(pieces).timeout(UPLOAD_TIME).await?;
            if length == size as u64 * count {
                Ok(())
            } else {
                Err("bytes are missing".into())
            }
        })
    }
}

pub(crate) fn sum_is_right(sum: u64, number: u64) -> Result<()> {
    if sum == number + 1 {
        Ok(())
    } else {
        Err("a wrong sum".into())
    }
}

pub(crate) fn order_is_right(order: &Order, id: u64) -> Result<()> {
    let right = order.id == id
        && order.customer == 7_000_000_001
        && order.name.len() == 18
        && order.changed_ms == 1_767_312_000_123
        && order.lines.len() == 3;
    if right {
        Ok(())
    } else {
        Err("a wrong order".into())
    }
}

pub(crate) fn orders_are_right(orders: &[Order]) -> Result<()> {
    let last = orders.last().map(|order| &order.lines[..]);
    let complete = last.is_some_and(|lines| lines.len() == Sample::sample(0).lines.len());
    if complete && list_is_right(orders.iter().map(|order| order.id)) {
        Ok(())
    } else {
        Err("a wrong list".into())
    }
}

/// The same of orders that are read where they came, one by one.
pub(crate) fn views_are_right(orders: Views<'_, Order>) -> Result<()> {
    let (mut ids, mut lines) = (Vec::with_capacity(LIST_LENGTH), 0);
    for order in orders {
        let order = order?;
        ids.push(order.id);
        lines = order.lines.len();
    }
    if lines == Sample::sample(0).lines.len() && list_is_right(ids.into_iter()) {
        Ok(())
    } else {
        Err("a wrong list".into())
    }
}

pub(crate) fn echo_is_right(answer: &[u8], body: &[u8], number: u64) -> Result<()> {
    if body_is_right(answer, body.len(), number) {
        Ok(())
    } else {
        Err("a wrong echo".into())
    }
}

/// Time for a gibibyte, however slow the machine.
const UPLOAD_TIME: std::time::Duration = std::time::Duration::from_secs(120);
