//! Crates this one depends on that have `.idl` packages of their own.
//!
//! A library with `links = "…"` in its manifest tells cargo where its files are ([`Build::run`]); cargo hands that to
//! the build scripts of direct dependents as `DEP_<links>_IDL_…`. Here it becomes roots to read, and packages whose
//! types are that crate's.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;

use super::Build;

/// One such crate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// The variable that cargo must watch.
    pub(super) variable: String,
    roots: OsString,
    packages: String,
    name: String,
}

/// Reads cargo's variables, in a fixed order.
pub(super) fn find(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<Neighbour> {
    let all: BTreeMap<String, OsString> = variables
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value)))
        .collect();
    let text = |key: String| {
        all.get(&key)
            .map(|value| value.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    all.iter()
        .filter_map(|(variable, roots)| {
            let prefix = variable
                .strip_suffix("_IDL_ROOTS")
                .filter(|prefix| prefix.starts_with("DEP_"))?;
            Some(Neighbour {
                variable: variable.clone(),
                roots: roots.clone(),
                packages: text(format!("{prefix}_IDL_PACKAGES")),
                name: text(format!("{prefix}_IDL_CRATE")),
            })
        })
        .collect()
}

impl Neighbour {
    /// Reads its files too, and takes its types from it; what the build script says itself comes first.
    pub(super) fn add_to(&self, mut build: Build) -> Build {
        for root in env::split_paths(&self.roots) {
            build = build.root(root);
        }
        for package in self
            .packages
            .split(',')
            .filter(|package| !package.is_empty())
        {
            let options = build.options_mut();
            if !options.is_extern(package) {
                *options = options
                    .clone()
                    .extern_package(package, &format!("::{}", self.name));
            }
        }
        build
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_with_links_is_found() {
        let variables = [
            ("DEP_ACME_COMMON_IDL_ROOTS", "/src/acme/idl"),
            ("DEP_ACME_COMMON_IDL_PACKAGES", "acme.common.v1"),
            ("DEP_ACME_COMMON_IDL_CRATE", "acme_common"),
            ("DEP_Z_INCLUDE", "/usr/include"),
        ];
        let found = find(
            variables
                .into_iter()
                .map(|(key, value)| (key.into(), value.into())),
        );
        assert_eq!(found.len(), 1);
        let mut build = found[0].add_to(Build::new());
        assert!(build.options_mut().is_extern("acme.common.v1"));
    }
}
