//! Whatever stands under the attribute, the expansion is tokens and no panic.

use proc_macro2::{TokenStream, TokenTree};

const TRAIT: &str = r#"
/// Docs.
#[deprecated(note = "x", since)]
pub unsafe auto trait A<'a, T: B>: C + 'static where T: D {
    type X<'b>: Y; const Z: u8 = 1; m!();
    #[rpc(id = 5000, name = "x y", timeout, oneway = 1, a(b), on_cancel = "x")]
    async unsafe extern "C" fn f<'c, const N: usize, T>(mut self: &'c mut Box<Self>, (a, b): (u8, &str), #[rpc(ctx)] _: &Context, c: [u8; N], ...) -> Result<&'c str> where T: E { half( }
    fn r#type(x: Option<&'static [u8]>, y: impl Fn(&str) -> !, z: <u8 as X>::Y, w: dyn Send) -> Option<Option<u8>>;
    #[rpc(oneway, on_cancel = "finish")]
    async fn s(&self, a: Option<Items<u8>>, b: impl Stream<Item = Result<u8>> + ?Sized + 'c, c: &Items<Vec<Items<()>>>, d: Items) -> Result<impl Stream<Item = Result<Option<dyn Stream>, E>> + use<'_>, F>;
    fn h(&self, a: Handle<CounterClient>, b: Vec<Handle<XClient<u8>>>, c: Handle<Client>) -> impl for<'x> Stream<Item<'x> = (impl Stream, BoxStream<'x, u8>)>;
    #[cfg(a)] #[rpc] const fn g(&self, x: HashMap<u8, [u8; 99999999999]>, y: Vec<*const ()>) -> Result<(), ()> {}
}
"#;

#[test]
fn traits_of_which_something_is_missing_expand() {
    let trees: Vec<TokenTree> = tokens(TRAIT.replace("half(", "half").as_str())
        .into_iter()
        .collect();
    for missing in 0..trees.len() {
        expand(without(&trees, missing));
    }
    let Some(TokenTree::Group(body)) = trees.last() else {
        return;
    };
    let inside: Vec<TokenTree> = body.stream().into_iter().collect();
    for missing in 0..inside.len() {
        let content = without(&inside, missing);
        expand(quote::quote!(trait A { #content }));
        let until: TokenStream = inside[..missing].iter().cloned().collect();
        expand(quote::quote!(trait A { #until }));
    }
}

#[test]
fn arguments_of_any_kind_expand() {
    for arguments in [
        "",
        ",",
        "=",
        "package",
        "package = ",
        "package = 1 + 1",
        "crate = 1",
        "name = \"\"",
        "a = {}",
        "\"x\"",
        "package(\"x\")",
    ] {
        let expanded = rpc_codegen::expand_service(
            tokens(arguments),
            tokens("trait A { async fn f(&self); }"),
        );
        assert!(expanded.to_string().contains("trait A"), "{arguments}");
    }
    for item in [
        "",
        "fn",
        "fn f() {}",
        "struct S;",
        "trait",
        "impl X for Y {}",
        "trait A { fn }",
        "{}",
        "mod x;",
    ] {
        expand(tokens(item));
    }
}

fn expand(item: TokenStream) {
    let _ = rpc_codegen::expand_service(tokens("package = \"a.b\""), item).to_string();
}

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("the text is tokens")
}

fn without(trees: &[TokenTree], missing: usize) -> TokenStream {
    let kept = trees
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != missing);
    kept.map(|(_, tree)| tree.clone()).collect()
}
