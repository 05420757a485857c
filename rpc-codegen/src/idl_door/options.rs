//! What a caller of the generator can choose.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Path;

use crate::runtime::Runtime;
use crate::service::Sides;

/// What is generated, and against which paths.
///
/// ```
/// let options = rpc_codegen::Options::new().blocking(false).crate_path("crate");
/// ```
#[derive(Clone)]
pub struct Options {
    runtime: Runtime,
    sides: Sides,
    shared_bytes: bool,
    small_strings: bool,
    borrowed_arguments: bool,
    views: bool,
    externs: Vec<(String, TokenStream)>,
    problems: Vec<String>,
}

impl Options {
    /// Everything, against `::rpc_runtime`.
    pub fn new() -> Self {
        Self {
            runtime: Runtime::default(),
            sides: Sides {
                client: true,
                blocking: true,
                server: true,
            },
            shared_bytes: false,
            small_strings: false,
            borrowed_arguments: false,
            views: true,
            externs: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Whether asynchronous clients are generated.
    #[must_use]
    pub fn client(mut self, wanted: bool) -> Self {
        self.sides.client = wanted;
        self
    }

    /// Whether blocking clients are generated.
    #[must_use]
    pub fn blocking(mut self, wanted: bool) -> Self {
        self.sides.blocking = wanted;
        self
    }

    /// Whether skeletons are generated.
    #[must_use]
    pub fn server(mut self, wanted: bool) -> Self {
        self.sides.server = wanted;
        self
    }

    /// Whether `bytes` become `bytes::Bytes`, which large ones share with the frame that they came in, instead of
    /// `Vec<u8>`.
    #[must_use]
    pub fn shared_bytes(mut self, wanted: bool) -> Self {
        self.shared_bytes = wanted;
        self
    }

    /// Whether `string` becomes `rpc_runtime::SmolStr` (feature `small-strings` of `rpc-runtime`) instead of `String`: texts up to 23
    /// bytes lie in the value, longer ones are shared by its clones, so that most are made and copied without the allocator.
    #[must_use]
    pub fn small_strings(mut self, wanted: bool) -> Self {
        self.small_strings = wanted;
        self
    }

    /// Whether handlers take `string` and `bytes` as `&str` and `&[u8]`, which are read where they were received, instead of
    /// copies of their own. It is about parameters, optional ones too, not about what stands inside of others, and changes
    /// nothing for callers or on the wire. A service that extends one of another crate needs the choice that was made there.
    #[must_use]
    pub fn borrowed_arguments(mut self, wanted: bool) -> Self {
        self.borrowed_arguments = wanted;
        self
    }

    /// Whether structs with strings or bytes get views, `OrderRef<'a>` of `Order`; without them there is about a quarter less
    /// to compile.
    #[must_use]
    pub fn views(mut self, wanted: bool) -> Self {
        self.views = wanted;
        self
    }

    /// Where generated code finds the runtime, such as `::my_framework::rpc`.
    #[must_use]
    pub fn crate_path(mut self, path: &str) -> Self {
        if let Some(path) = self.parse(path) {
            self.runtime = Runtime::at(path);
        }
        self
    }

    /// A package whose types another crate has, and the module of that crate in which its `include_idl!()` stands:
    /// `("acme.common.v1", "::acme_common")` makes `common.Value` `::acme_common::acme::common::v1::Value`.
    #[must_use]
    pub fn extern_package(mut self, package: &str, path: &str) -> Self {
        if let Some(path) = self.parse(path) {
            self.externs.push((package.to_owned(), path));
        }
        self
    }

    /// Arguments that made no sense, one sentence each.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Whether another crate has this package.
    pub(crate) fn is_extern(&self, package: &str) -> bool {
        self.extern_root(package).is_some()
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn private(&self) -> TokenStream {
        self.runtime.private()
    }

    pub(super) fn has_views(&self) -> bool {
        self.views
    }

    pub(super) fn has_small_strings(&self) -> bool {
        self.small_strings
    }

    pub(super) fn has_shared_bytes(&self) -> bool {
        self.shared_bytes
    }

    pub(super) fn has_borrowed_arguments(&self) -> bool {
        self.borrowed_arguments
    }

    pub(super) fn sides(&self) -> Sides {
        self.sides
    }

    /// Where the tree of another crate stands, if that crate has this package.
    pub(super) fn extern_root(&self, package: &str) -> Option<&TokenStream> {
        self.externs
            .iter()
            .find(|(name, _)| name == package)
            .map(|(_, path)| path)
    }

    fn parse(&mut self, path: &str) -> Option<TokenStream> {
        // `crate` alone is a path too, though not one that a type could have.
        if path == "crate" {
            return Some(quote!(crate));
        }
        match syn::parse_str::<Path>(path) {
            Ok(path) => Some(path.to_token_stream()),
            Err(_) => {
                self.problems
                    .push(format!("`{path}` is not a path, such as `::acme_common`"));
                None
            }
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
