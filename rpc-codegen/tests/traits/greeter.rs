/// Says hello.
#[rpc_service(package = "acme.v1")]
pub trait Greeter {
    /// Greets by name.
    async fn hello(&self, name: &str) -> String;
    #[rpc(idempotent, timeout = "2s", retry = 4)]
    fn count(&self, words: Vec<String>, limit: Option<u32>) -> Result<u64, CountError>;
    #[rpc(oneway)]
    async fn touch(&self, context: &Context, items: &[Item]);
}
