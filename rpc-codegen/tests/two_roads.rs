//! One service, written as text and as a trait, is one model.

#![cfg(feature = "idl")]

use rpc_idl::model::{Model, ServiceId};
use rpc_idl::{SourceFile, ids};

const TEXT: &str = r#"
/// Says hello.
package acme.greeter.v1;

/// Says hello.
@version("1.2")
service Greeter {
    /// Greets by name.
    @idempotent @timeout(2s)
    fn hello(name: string, times: u32?) -> string;
    fn store(key: string, value: bytes, tags: set<string>, at: timestamp, wait: duration) -> u64 throws string_error;
    @wire_name("greet_all") @on_cancel(finish)
    fn all(names: list<string>, ages: map<string, u8>, pair: array<f64, 2>, id: uuid, price: decimal) -> list<string?>;
    @id(4711)
    oneway fn touch(big: i128, flag: bool, small: i8, float: f32, any: any);
    fn nothing();
    @timeout(3s)
    fn watch(filter: string?) -> stream u128;
    @on_cancel(finish)
    fn upload(name: string, chunks: stream bytes) -> u64;
    fn chat(lines: stream string) -> stream list<u32>;
    fn counter(start: u64) -> handle<Counter>;
    oneway fn count(counter: handle<Counter>, other: handle<Counter>?);
}
"#;

/// Beside the service, so that handles have something to name.
const OTHER: &str = "service Counter { fn add(n: u64) -> u64; }";

const TRAIT: &str = r#"
/// Says hello.
trait Greeter {
    /// Greets by name.
    #[rpc(idempotent, timeout = "2s")]
    async fn hello(&self, name: &str, times: Option<u32>) -> String;
    fn store(&self, key: String, value: &[u8], tags: HashSet<String>, at: Timestamp, wait: std::time::Duration) -> Result<u64, string_error>;
    #[rpc(name = "greet_all", on_cancel = "finish")]
    async fn all(&self, names: &[String], ages: &HashMap<String, u8>, pair: [f64; 2], id: Uuid, price: Decimal) -> Vec<Option<String>>;
    #[rpc(id = 4711, oneway)]
    async fn touch(&self, context: &Context, big: i128, flag: bool, small: Box<i8>, float: f32, any: rpc_runtime::Value);
    async fn nothing();
    #[rpc(timeout = "3s")]
    fn watch(&self, filter: Option<&str>) -> impl Stream<Item = u128> + Send + use<'_, Self>;
    #[rpc(on_cancel = "finish")]
    async fn upload(&self, name: String, chunks: rpc_runtime::Items<Vec<u8>>) -> u64;
    async fn chat(&self, lines: impl futures_core::Stream<Item = String>, context: &Context) -> impl Stream<Item = Vec<u32>>;
    async fn counter(&self, start: u64) -> Handle<CounterClient>;
    #[rpc(oneway)]
    async fn count(&self, counter: &rpc_runtime::Handle<CounterClient>, other: Option<Handle<super::CounterClient>>);
}
"#;

#[test]
fn both_doors_give_the_same_model_numbers_and_fingerprints() {
    // Declared errors are types of their own in text and names in a trait; each door has its test for them.
    let text = TEXT.replace(" throws string_error", "");
    let item = TRAIT.replace("Result<u64, string_error>", "u64");
    let (text, item) = (from_text(&(text + OTHER)), from_trait(&item));
    let greeter = |model: &Model| {
        let mut services = model.services.iter();
        let at = services.position(|service| &*service.name == "Greeter");
        ServiceId(at.expect("the service is there") as u32)
    };
    let (first, second) = (greeter(&text), greeter(&item));
    let mut alone = without_annotations(text.clone());
    alone.services.retain(|service| &*service.name == "Greeter");
    assert_eq!(alone, item);
    assert_eq!(
        ids::canonical_text(&text, first),
        ids::canonical_text(&item, second)
    );
    assert_eq!(
        ids::service_fingerprint(&text, first),
        ids::service_fingerprint(&item, second)
    );
    let numbers = |model: &Model| -> Vec<_> {
        model
            .service(greeter(model))
            .methods
            .iter()
            .map(|method| method.call_id)
            .collect()
    };
    assert_eq!(numbers(&text), numbers(&item));
    assert_eq!(
        numbers(&text)[0],
        ids::call_id("acme.greeter.v1.Greeter", "hello")
    );
}

/// Declared errors of a trait are names, so only what is said of them can be compared.
#[test]
fn each_way_to_say_that_a_stream_fails_is_one_method() {
    let ways = [
        "async fn f(&self) -> Result<impl Stream<Item = Result<u8, E>>, E>;",
        "async fn f(&self) -> Result<impl Stream<Item = u8>, E>;",
        "async fn f(&self) -> impl Stream<Item = Result<u8, E>>;",
        "fn f(&self) -> impl Stream<Item = Result<u8, E>>;",
    ];
    let models = ways.map(|way| from_trait(&format!("trait Greeter {{ {way} }}")));
    for model in &models {
        assert_eq!(model, &models[0]);
        let method = &model.services[0].methods[0];
        assert!(method.stream_out && method.throws.is_some());
        assert_eq!(method.result, Some(rpc_idl::model::Type::U8));
    }
}

#[test]
fn a_traits_own_types_are_names() {
    let model = from_trait(TRAIT);
    let store = &model.services[0].methods[1];
    assert_eq!(
        store.throws,
        Some(rpc_idl::model::Type::Foreign("string_error".to_owned()))
    );
}

#[test]
fn all_mistakes_of_a_trait_come_at_once() {
    let item = syn::parse_str(
        "trait A<T> { fn a(&mut self, x: Vec<&str>); type B; fn c(&self) -> &str; }",
    )
    .unwrap();
    let errors = rpc_codegen::read_trait(Default::default(), &item).unwrap_err();
    assert_eq!(errors.into_iter().count(), 5);
}

fn from_text(text: &str) -> Model {
    let file = SourceFile {
        path: "greeter.idl".to_owned(),
        text: text.to_owned(),
    };
    let compiled = rpc_idl::compile(vec![file]);
    assert_eq!(
        compiled.diagnostics.error_count(),
        0,
        "{}",
        compiled.diagnostics.render()
    );
    compiled.model
}

fn from_trait(text: &str) -> Model {
    let arguments = r#"package = "acme.greeter.v1", version = "1.2""#
        .parse()
        .expect("the arguments are tokens");
    let item = syn::parse_str(text).expect("the text is a trait");
    rpc_codegen::read_trait(arguments, &item).expect("the trait has no mistakes")
}

/// Annotations say once more, as written, what the model's other fields say.
fn without_annotations(mut model: Model) -> Model {
    for service in &mut model.services {
        service.annotations = Box::default();
        service
            .methods
            .iter_mut()
            .for_each(|method| method.annotations = Box::default());
    }
    model
}
