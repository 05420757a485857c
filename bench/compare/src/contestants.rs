//! Who takes part, in which variants, and what each needs to be built.

use std::process::{Command, Stdio};

/// One program with its variants.
pub(crate) struct Contestant {
    /// Name of the program; the package is `bench-` and this.
    pub(crate) name: &'static str,
    pub(crate) variants: &'static [Variant],
    /// A tool that must be installed, and how to get it.
    pub(crate) tool: Option<(&'static str, &'static str)>,
    /// Whether it stands beside the project as somebody else's work.
    pub(crate) is_peer: bool,
}

/// One way of using a contestant.
#[derive(Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// What the program is told.
    pub(crate) argument: &'static str,
    pub(crate) unix: bool,
    /// Takes part in lone calls only, and without an async runtime.
    pub(crate) blocking: bool,
    /// Takes part in lone calls only.
    pub(crate) lone: bool,
    /// Takes part in calls of many at once only.
    pub(crate) many: bool,
    /// Takes part only where values with strings are owned.
    pub(crate) owned: bool,
}

const PLAIN: Variant = Variant {
    name: "",
    argument: "",
    unix: false,
    blocking: false,
    lone: false,
    many: false,
    owned: false,
};

const fn variant(name: &'static str) -> Variant {
    Variant {
        name,
        argument: name,
        ..PLAIN
    }
}

/// Everybody, the base first.
pub(crate) const CONTESTANTS: &[Contestant] = &[
    Contestant {
        name: "limit",
        variants: &[
            variant("yield"),
            Variant {
                many: true,
                ..variant("exact")
            },
            Variant {
                argument: "yield",
                unix: true,
                ..variant("yield-unix")
            },
            Variant {
                blocking: true,
                lone: true,
                ..variant("pingpong-std")
            },
            Variant {
                lone: true,
                ..variant("pingpong-tokio")
            },
            Variant {
                argument: "pingpong-std",
                blocking: true,
                lone: true,
                unix: true,
                ..variant("pingpong-std-unix")
            },
        ],
        tool: None,
        is_peer: false,
    },
    Contestant {
        name: "ours",
        variants: &[
            variant("async"),
            Variant {
                owned: true,
                ..variant("small")
            },
            Variant {
                argument: "async",
                unix: true,
                ..variant("async-unix")
            },
            Variant {
                blocking: true,
                lone: true,
                ..variant("blocking")
            },
            Variant {
                argument: "blocking",
                blocking: true,
                lone: true,
                unix: true,
                ..variant("blocking-unix")
            },
        ],
        tool: None,
        is_peer: false,
    },
    Contestant {
        name: "tarpc",
        variants: &[variant("bincode")],
        tool: None,
        is_peer: true,
    },
    Contestant {
        name: "tonic",
        variants: &[variant("default")],
        tool: Some(("protoc", "install `protobuf-compiler`")),
        is_peer: true,
    },
    Contestant {
        name: "volo",
        variants: &[variant("pingpong"), variant("multiplex")],
        tool: None,
        is_peer: true,
    },
    Contestant {
        name: "capnp",
        variants: &[variant("twoparty")],
        tool: Some(("capnp", "install `capnproto`")),
        is_peer: true,
    },
];

/// A contestant in one of its variants: a row of a table.
#[derive(Clone, Copy)]
pub(crate) struct Entrant {
    pub(crate) contestant: &'static Contestant,
    pub(crate) variant: Variant,
}

impl Entrant {
    /// `contestant/variant`
    pub(crate) fn label(&self) -> String {
        format!("{}/{}", self.contestant.name, self.variant.name)
    }
}

/// All rows of those contestants whose name or label is among `wanted`, or of all.
pub(crate) fn entrants(wanted: &[String]) -> Vec<Entrant> {
    let all = CONTESTANTS.iter().flat_map(|contestant| {
        contestant.variants.iter().map(move |variant| Entrant {
            contestant,
            variant: *variant,
        })
    });
    all.filter(|entrant| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|name| *name == entrant.contestant.name || *name == entrant.label())
    })
    .collect()
}

/// Whether a label is that of a peer.
pub(crate) fn is_peer(label: &str) -> bool {
    let name = label.split('/').next().unwrap_or_default();
    CONTESTANTS
        .iter()
        .any(|contestant| contestant.is_peer && contestant.name == name)
}

/// Whether a tool can be started.
pub(crate) fn is_installed(tool: &str) -> bool {
    let started = Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .status();
    started.is_ok()
}
