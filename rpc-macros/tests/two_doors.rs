//! One service by both doors: the same numbers, the same bytes, and each door's client understands the other's server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_runtime::__private::{Answer, Decode, DecodeError, Incoming, Reader, Skeleton};
use rpc_runtime::{
    Channel, DeclaredError, MethodDescriptor, ServiceDescriptor, Timestamp, rpc_service,
};

rpc_macros::idl! {r#"
/// Both doors.
package acme.doors.v1;

error Refused {
    @status(not_found) 1: Missing(string),
}

/// Counts and greets.
service Doors {
    /// Greets.
    @idempotent
    fn hello(name: string, times: u32?) -> string;
    fn sum(numbers: list<i64>, weights: map<string, f64>) -> i64;
    fn keep(blob: bytes, wait: duration, at: timestamp) -> bytes;
    oneway fn touch(id: u64);
    fn nothing();
}
"#}

use acme::doors::v1::{self as idl, DoorsClient as IdlClient, DoorsService as IdlSkeleton};

/// Counts and greets.
#[rpc_service(package = "acme.doors.v1")]
trait Doors {
    /// Greets.
    #[rpc(idempotent)]
    async fn hello(&self, name: &str, times: Option<u32>) -> String;
    async fn sum(&self, numbers: &[i64], weights: BTreeMap<String, f64>) -> i64;
    fn keep(&self, blob: Vec<u8>, wait: Duration, at: Timestamp) -> Vec<u8>;
    #[rpc(oneway)]
    async fn touch(&self, id: u64);
    async fn nothing(&self);
}

struct Mine;

impl Doors for Mine {
    async fn hello(&self, name: &str, times: Option<u32>) -> String {
        name.repeat(times.unwrap_or(1) as usize)
    }
    async fn sum(&self, numbers: &[i64], weights: BTreeMap<String, f64>) -> i64 {
        numbers.iter().sum::<i64>() + weights.len() as i64
    }
    fn keep(&self, blob: Vec<u8>, _: Duration, _: Timestamp) -> Vec<u8> {
        blob
    }
    async fn touch(&self, _: u64) {}
    async fn nothing(&self) {}
}

impl idl::Doors for Mine {
    async fn hello(&self, name: String, times: Option<u32>) -> String {
        Doors::hello(self, &name, times).await
    }
    async fn sum(&self, numbers: Vec<i64>, weights: BTreeMap<String, f64>) -> i64 {
        Doors::sum(self, &numbers, weights).await
    }
    async fn keep(&self, blob: Vec<u8>, wait: Duration, at: Timestamp) -> Vec<u8> {
        Doors::keep(self, blob, wait, at)
    }
    async fn touch(&self, _: u64) {}
    async fn nothing(&self) {}
}

#[test]
fn the_call_id_tables_are_equal() {
    assert_eq!(
        described(DoorsClient::SERVICE),
        described(IdlClient::SERVICE)
    );
    assert_eq!(
        DoorsClient::SERVICE.fingerprint,
        IdlClient::SERVICE.fingerprint
    );
}

fn described(service: &'static ServiceDescriptor) -> Vec<&'static MethodDescriptor> {
    assert!(service.methods.is_sorted_by_key(|method| method.id));
    service.methods.iter().collect()
}

#[tokio::test]
async fn a_traits_client_calls_a_definitions_server() {
    let client = DoorsClient::new(Channel::local(IdlSkeleton::new(Mine)));
    assert_eq!(client.hello("ab", Some(2)).await.unwrap(), "abab");
    assert_eq!(client.hello("ab", None).await.unwrap(), "ab");
    assert_eq!(
        client
            .sum(&[1, 2], BTreeMap::from([("x".to_owned(), 0.5)]))
            .await
            .unwrap(),
        4
    );
    assert_eq!(
        client
            .keep(vec![1, 2], Duration::from_secs(1), Timestamp::now())
            .await
            .unwrap(),
        [1, 2]
    );
    client.touch(7).await.unwrap();
    client.nothing().await.unwrap();
}

#[tokio::test]
async fn a_definitions_client_calls_a_traits_server() {
    let client = IdlClient::new(Channel::local(DoorsService::new(Mine)));
    assert_eq!(client.hello("ab", Some(2)).await.unwrap(), "abab");
    let weights = BTreeMap::from([("x".to_owned(), 0.5)]);
    assert_eq!(client.sum(&[1, 2], &weights).await.unwrap(), 4);
    assert_eq!(
        client
            .keep(&[1, 2], Duration::from_secs(1), Timestamp::now())
            .await
            .unwrap(),
        [1, 2]
    );
    client.touch(7).await.unwrap();
    client.nothing().await.unwrap();
}

#[tokio::test]
async fn the_bytes_of_both_doors_are_equal() {
    let (first, second) = (Recorder::default(), Recorder::default());
    let by_trait = DoorsClient::new(Channel::local(first.clone()));
    let by_text = IdlClient::new(Channel::local(second.clone()));
    let weights = BTreeMap::from([("b".to_owned(), 2.0), ("a".to_owned(), 0.5)]);
    let at = Timestamp {
        seconds: 1_700_000_000,
        nanos: 5,
    };

    let _ = by_trait.hello("ab", None).await;
    let _ = by_text.hello("ab", None).await;
    let _ = by_trait.hello("ab", Some(300)).await;
    let _ = by_text.hello("ab", Some(300)).await;
    let _ = by_trait.sum(&[1, -2, i64::MAX], weights.clone()).await;
    let _ = by_text.sum(&[1, -2, i64::MAX], &weights).await;
    let _ = by_trait
        .keep(vec![0, 255], Duration::from_millis(5), at)
        .await;
    let _ = by_text.keep(&[0, 255], Duration::from_millis(5), at).await;
    let _ = by_trait.nothing().await;
    let _ = by_text.nothing().await;

    let (first, second) = (first.taken(), second.taken());
    assert_eq!(first.len(), 5);
    assert_eq!(first, second);
}

/// A skeleton that keeps the bytes of every argument instead of understanding it.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Recorded>>>);

/// The method's name, and each argument as it was on the wire.
type Recorded = (&'static str, Vec<Vec<u8>>);

impl Recorder {
    fn taken(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.0.lock().expect("no test panics with the lock"))
    }
}

impl Skeleton for Recorder {
    fn service(&self) -> &'static ServiceDescriptor {
        IdlClient::SERVICE
    }

    fn call(&self, method: usize, request: Incoming) -> Answer {
        let method = &self.service().methods[method];
        let count = method
            .signature
            .split_once(')')
            .map_or(0, |(params, _)| params.matches(':').count());
        let mut args = request.args(count).expect("the arguments are an array");
        let raw = (0..count)
            .map(|_| args.borrowed::<Raw>("").expect("the argument is there").0)
            .collect();
        args.finish().expect("nothing follows");
        self.0
            .lock()
            .expect("no test panics with the lock")
            .push((method.name, raw));
        Box::pin(std::future::ready(request.unserved()))
    }
}

struct Raw(Vec<u8>);

impl<'de> Decode<'de> for Raw {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        input.raw().map(|bytes| Self(bytes.to_vec()))
    }
}

#[test]
fn an_error_of_the_definition_keeps_its_meaning() {
    let error = idl::Refused::Missing("x".to_owned());
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (rpc_runtime::Status::NotFound, "missing: x")
    );
}
