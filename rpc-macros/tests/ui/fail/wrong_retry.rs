use rpc_runtime::rpc_service;

#[rpc_service]
trait Clock {
    #[rpc(retry = 0)]
    async fn never(&self) -> u64;
    #[rpc(retry = "often")]
    async fn often(&self) -> u64;
    #[rpc(retry = 3, retry_on = [unavailable, broken])]
    async fn broken(&self) -> u64;
    #[rpc(retry_backoff = "10ms")]
    async fn alone(&self) -> u64;
    #[rpc(retry = 3, retry_on = unavailable)]
    async fn listless(&self) -> u64;
}

fn main() {}
