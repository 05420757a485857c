//! The entry for build scripts: finds `.idl` files, writes Rust, tells cargo about both.

mod cargo;
mod neighbours;
mod output;

use std::env;
use std::path::{Path, PathBuf};

use rpc_idl::Severity;

use self::cargo::Cargo;
use self::output::{Fate, write_if_changed};
use crate::idl_door::{Options, emit_text};

/// Generates Rust for the `.idl` file or directory at `path`, relative to the package, into `OUT_DIR/idl.rs`.
///
/// The whole `main` of the build script:
///
/// ```no_run
/// rpc_codegen::build("idl");
/// ```
///
/// and in the crate `rpc_runtime::include_idl!();`. Faults in the files end the build with their places and pictures;
/// this function neither panics nor exits.
pub fn build(path: impl AsRef<Path>) {
    Build::new().root(path).run();
}

/// A build script with choices.
///
/// ```no_run
/// rpc_codegen::Build::new().root("idl").blocking(false).run();
/// ```
#[derive(Clone)]
pub struct Build {
    roots: Vec<PathBuf>,
    out_dir: Option<PathBuf>,
    file_name: String,
    only_check: bool,
    options: Options,
}

/// What came out of a run.
#[derive(Debug)]
pub struct Generated {
    /// The Rust text; with faults in it, what could be generated in spite of them, and a `compile_error!` for each.
    pub text: String,
    /// What is wrong with the `.idl` files.
    pub diagnostics: rpc_idl::Diagnostics,
    /// Packages in the text.
    pub packages: Vec<String>,
    /// Files and directories that the text depends on.
    pub inputs: Vec<PathBuf>,
}

impl Build {
    /// Nothing to read yet; everything is generated, into `OUT_DIR/idl.rs`.
    pub fn new() -> Self {
        Self {
            roots: Vec::new(),
            out_dir: None,
            file_name: "idl.rs".to_owned(),
            only_check: false,
            options: Options::new(),
        }
    }

    /// Reads this file, or every `.idl` file in this directory; relative to the package.
    #[must_use]
    pub fn root(mut self, path: impl AsRef<Path>) -> Self {
        self.roots.push(path.as_ref().to_owned());
        self
    }

    /// Writes into this directory of the package instead, for those who commit generated code.
    #[must_use]
    pub fn out_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.out_dir = Some(path.as_ref().to_owned());
        self
    }

    /// Name of the generated file; `idl.rs` unless said otherwise.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = name.into();
        self
    }

    /// Writes nothing, but fails if the file differs from what would be written: for committed code in CI.
    #[must_use]
    pub fn check(mut self) -> Self {
        self.only_check = true;
        self
    }

    /// Where generated code finds the runtime, such as `::my_framework::rpc`.
    #[must_use]
    pub fn crate_path(mut self, path: &str) -> Self {
        self.options = self.options.crate_path(path);
        self
    }

    /// A package whose types another crate has; see [`Options::extern_package`].
    #[must_use]
    pub fn extern_package(mut self, package: &str, path: &str) -> Self {
        self.options = self.options.extern_package(package, path);
        self
    }

    /// Whether asynchronous clients are generated.
    #[must_use]
    pub fn client(mut self, wanted: bool) -> Self {
        self.options = self.options.client(wanted);
        self
    }

    /// Whether skeletons are generated.
    #[must_use]
    pub fn server(mut self, wanted: bool) -> Self {
        self.options = self.options.server(wanted);
        self
    }

    /// Whether blocking clients are generated.
    #[must_use]
    pub fn blocking(mut self, wanted: bool) -> Self {
        self.options = self.options.blocking(wanted);
        self
    }

    /// Whether `bytes` become `bytes::Bytes`, which large ones share with the frame that they came in, instead of
    /// `Vec<u8>`.
    #[must_use]
    pub fn shared_bytes(mut self, wanted: bool) -> Self {
        self.options = self.options.shared_bytes(wanted);
        self
    }

    /// Whether `string` becomes `rpc_runtime::SmolStr` (feature `small-strings` of `rpc-runtime`) instead of `String`: texts up to 23
    /// bytes lie in the value, longer ones are shared by its clones, so that most are made and copied without the allocator.
    #[must_use]
    pub fn small_strings(mut self, wanted: bool) -> Self {
        self.options = self.options.small_strings(wanted);
        self
    }

    /// Whether handlers take `string` and `bytes` as `&str` and `&[u8]`, which are read where they were received, instead of
    /// copies of their own. It is about parameters, optional ones too, not about what stands inside of others, and changes
    /// nothing for callers or on the wire. A service that extends one of another crate needs the choice that was made there.
    #[must_use]
    pub fn borrowed_arguments(mut self, wanted: bool) -> Self {
        self.options = self.options.borrowed_arguments(wanted);
        self
    }

    /// Whether structs with strings or bytes get views, `OrderRef<'a>` of `Order`; without them there is about a quarter less
    /// to compile.
    #[must_use]
    pub fn views(mut self, wanted: bool) -> Self {
        self.options = self.options.views(wanted);
        self
    }

    /// Reads and generates, without writing anything or talking to cargo.
    pub fn generate(&self) -> Generated {
        let loaded = rpc_idl::compile_paths(&self.roots);
        let model = &loaded.compiled.model;
        let packages = model
            .packages
            .iter()
            .map(|package| package.name.to_string());
        let inputs = loaded
            .files_read
            .into_iter()
            .chain(loaded.dirs_searched)
            .collect();
        Generated {
            text: output::text(
                model,
                &loaded.compiled.diagnostics,
                emit_text(model, &self.options),
            ),
            packages: packages
                .filter(|package| !self.options.is_extern(package))
                .collect(),
            diagnostics: loaded.compiled.diagnostics,
            inputs,
        }
    }

    /// Does it all, as a build script: whatever goes wrong is told to cargo, which then ends the build.
    pub fn run(mut self) {
        let mut cargo = Cargo::stdout();
        // Neighbours introduce themselves; a dependent that needs them depends on them.
        let own_roots = self.roots.clone();
        for neighbour in neighbours::find(env::vars_os()) {
            cargo.rerun_if_env_changed(&neighbour.variable);
            self = neighbour.add_to(self);
        }
        for problem in self.options.problems() {
            cargo.error(problem);
        }
        let generated = self.generate();
        generated.report(&mut cargo);
        self.write(&generated, &mut cargo);
        if env::var_os("CARGO_MANIFEST_LINKS").is_some() {
            introduce(&own_roots, &generated, &mut cargo);
        }
    }

    pub(crate) fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    fn write(&self, generated: &Generated, cargo: &mut Cargo<'_>) {
        let Some(folder) = self
            .out_dir
            .clone()
            .or_else(|| env::var_os("OUT_DIR").map(PathBuf::from))
        else {
            cargo.error(
                "OUT_DIR is not set: call this from a build script, or say `.out_dir(\"…\")`",
            );
            return;
        };
        let path = folder.join(&self.file_name);
        let fate = if self.only_check {
            output::compare(&path, &generated.text)
        } else {
            write_if_changed(&path, &generated.text)
        };
        match fate {
            Ok(Fate::Fresh | Fate::Written) => {}
            Ok(Fate::Stale) => cargo.error(&format!(
                "{} is not what the .idl files give: run the build without `.check()` and commit the result",
                path.display()
            )),
            Err(error) => cargo.error(&format!("cannot write {}: {error}", path.display())),
        }
    }
}

impl Default for Build {
    fn default() -> Self {
        Self::new()
    }
}

impl Generated {
    fn report(&self, cargo: &mut Cargo<'_>) {
        for input in &self.inputs {
            cargo.rerun_if_changed(input);
        }
        for diagnostic in &self.diagnostics {
            match diagnostic.severity {
                Severity::Error => {
                    cargo.picture(Cargo::error, &diagnostic.short(), &diagnostic.rendered())
                }
                Severity::Warning => {
                    cargo.picture(Cargo::warning, &diagnostic.short(), &diagnostic.rendered())
                }
            }
        }
    }
}

/// Tells the build scripts of dependents which packages this crate has, and where their files are.
fn introduce(roots: &[PathBuf], generated: &Generated, cargo: &mut Cargo<'_>) {
    let here = env::current_dir().unwrap_or_default();
    let roots = env::join_paths(roots.iter().map(|root| here.join(root))).unwrap_or_default();
    let name = env::var("CARGO_PKG_NAME")
        .unwrap_or_default()
        .replace('-', "_");
    cargo.metadata("idl_roots", &roots.to_string_lossy());
    cargo.metadata("idl_packages", &generated.packages.join(","));
    cargo.metadata("idl_crate", &name);
}
