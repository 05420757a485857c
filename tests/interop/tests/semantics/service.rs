//! The service that is called, and what it has seen.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use interop::testing::v1::{
    EchoStatus, Entry, Failure, SimpleRequest, SimpleResponse, StreamingOutputRequest, TestService,
    TestServiceClient,
};
use rpc_runtime::{Context, Items, Stream, stream};
use tokio::sync::watch;

/// Serves.
#[derive(Clone, Default)]
pub struct Desk {
    pub seen: Arc<Seen>,
}

/// What handlers have noticed.
#[derive(Default)]
pub struct Seen {
    /// Handlers, and streams of answers, that are there now.
    running: watch::Sender<usize>,
    /// How many have begun.
    begun: watch::Sender<usize>,
    /// Streams of callers that broke.
    pub broken: AtomicUsize,
}

impl Seen {
    /// Waits until so many have begun since the start.
    pub async fn begun(&self, count: usize) {
        let mut begun = self.begun.subscribe();
        begun.wait_for(|begun| *begun >= count).await.unwrap();
    }

    /// Waits until nothing runs.
    pub async fn idle(&self) {
        let mut running = self.running.subscribe();
        running.wait_for(|running| *running == 0).await.unwrap();
    }
}

/// Something that runs; dropped when it ends, in whatever way.
struct Running(Arc<Seen>);

impl Running {
    fn new(seen: &Arc<Seen>) -> Self {
        seen.running.send_modify(|running| *running += 1);
        seen.begun.send_modify(|begun| *begun += 1);
        Self(seen.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

/// The declared error for a number of gRPC's.
pub fn failure(status: EchoStatus) -> Failure {
    let text = status.message;
    match status.code {
        1 => Failure::Cancelled(text),
        3 => Failure::InvalidArgument(text),
        4 => Failure::DeadlineExceeded(text),
        5 => Failure::NotFound(text),
        6 => Failure::AlreadyExists(text),
        7 => Failure::PermissionDenied(text),
        8 => Failure::ResourceExhausted(text),
        9 => Failure::FailedPrecondition(text),
        10 => Failure::Aborted(text),
        11 => Failure::OutOfRange(text),
        12 => Failure::Unimplemented(text),
        13 => Failure::Internal(text),
        14 => Failure::Unavailable(text),
        15 => Failure::DataLoss(text),
        16 => Failure::Unauthenticated(text),
        _ => Failure::Unknown(text),
    }
}

/// Items that are there already, and perhaps no end.
struct Script {
    items: VecDeque<Result<Vec<u8>, Failure>>,
    sleeps: bool,
    _running: Running,
}

impl Script {
    fn new(requests: Vec<StreamingOutputRequest>, seen: &Arc<Seen>) -> Self {
        let sleeps = requests.iter().any(|request| request.sleeps);
        Self {
            items: requests.into_iter().flat_map(answers).collect(),
            sleeps,
            _running: Running::new(seen),
        }
    }
}

impl Stream for Script {
    type Item = Result<Vec<u8>, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        match self.items.pop_front() {
            None if self.sleeps => Poll::Pending,
            item => Poll::Ready(item),
        }
    }
}

fn answers(
    request: StreamingOutputRequest,
) -> impl Iterator<Item = Result<Vec<u8>, Failure>> + Send {
    let sizes = request.sizes.into_iter();
    let payloads = sizes.map(|size| Ok(vec![0; size as usize]));
    payloads.chain(request.response_status.map(|status| Err(failure(status))))
}

impl TestService for Desk {
    async fn empty_call(&self) {}

    async fn unary_call(&self, request: SimpleRequest) -> Result<SimpleResponse, Failure> {
        let _running = Running::new(&self.seen);
        if request.sleeps {
            std::future::pending::<()>().await;
        }
        if let Some(status) = request.response_status {
            return Err(failure(status));
        }
        let context = Context::current().unwrap();
        let entry = |(key, value): (&str, &str)| Entry {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        Ok(SimpleResponse {
            payload: vec![0; request.response_size as usize],
            username: context.identity().map(|it| it.name().to_owned()),
            metadata: context.metadata().iter().map(entry).collect(),
            time_left: context.time_left(),
            payload_received: request.payload.map_or(0, |payload| payload.len() as u32),
        })
    }

    async fn streaming_input_call(&self, mut payloads: Items<Vec<u8>>) -> Result<u64, Failure> {
        let _running = Running::new(&self.seen);
        let mut sum = 0;
        while let Some(payload) = payloads.next().await {
            match payload {
                Ok(payload) => sum += payload.len() as u64,
                Err(error) => {
                    self.seen.broken.fetch_add(1, Ordering::SeqCst);
                    return Err(Failure::Cancelled(error.to_string()));
                }
            }
        }
        Ok(sum)
    }

    async fn streaming_output_call(
        &self,
        request: StreamingOutputRequest,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Failure>>, Failure> {
        Ok(Script::new(vec![request], &self.seen))
    }

    async fn full_duplex_call(
        &self,
        mut requests: Items<StreamingOutputRequest>,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Failure>>, Failure> {
        let running = Running::new(&self.seen);
        let (say, said) = stream::pipe(1);
        tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                let Ok(request) = request else {
                    running.0.broken.fetch_add(1, Ordering::SeqCst);
                    return;
                };
                let sleeps = request.sleeps;
                for answer in answers(request) {
                    if say.send(answer).await.is_err() {
                        return;
                    }
                }
                if sleeps {
                    // The stream is open until the caller goes.
                    say.closed().await;
                }
            }
        });
        Ok(said)
    }

    async fn half_duplex_call(
        &self,
        mut requests: Items<StreamingOutputRequest>,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Failure>>, Failure> {
        let _running = Running::new(&self.seen);
        let mut all = Vec::new();
        while let Some(request) = requests.next().await {
            all.push(request.map_err(|error| Failure::Cancelled(error.to_string()))?);
        }
        Ok(Script::new(all, &self.seen))
    }

    async fn relay(&self) -> Result<Option<Duration>, Failure> {
        let caller = Context::current().unwrap().caller().unwrap();
        let answer = TestServiceClient::new(caller)
            .unary_call(&SimpleRequest::default())
            .await;
        match answer {
            Ok(answer) => Ok(answer.time_left),
            Err(error) => Err(Failure::Internal(error.to_string())),
        }
    }
}
