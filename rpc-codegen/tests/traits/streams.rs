/// Streams of every kind.
#[rpc_service(package = "acme.streams.v1")]
pub trait Market {
    /// Prices as they change.
    async fn watch(&self, filter: Option<&str>) -> Result<impl Stream<Item = Result<Tick, Closed>>, Closed>;
    fn count_to(&self, last: u32) -> impl Stream<Item = u32> + Send + use<'_, Self>;
    async fn upload(&self, name: &str, chunks: Items<Vec<u8>>) -> u64;
    async fn check(&self, ticks: impl rpc_runtime::Stream<Item = Tick>, ctx: &Context) -> Result<bool, Closed>;
    fn shout(&self, lines: rpc_runtime::Items<String>) -> impl Stream<Item = String>;
    async fn trade(&self, limit: f64, orders: Items<Tick>) -> impl Stream<Item = Result<f64, Closed>>;
    async fn opened(&self) -> Result<impl Stream<Item = u8>, Closed>;
    async fn counter(&self, start: u64) -> Handle<CounterClient>;
    async fn count(&self, counter: &Handle<CounterClient>, meter: Option<rpc_runtime::Handle<super::MeterClient>>) -> Result<u64, Closed>;
}
