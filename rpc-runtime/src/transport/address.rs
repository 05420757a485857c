//! Address strings: one text chooses where calls go.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::msgpack_rpc::Spelling;

/// Where bytes go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Address {
    /// `tcp://host:port`
    Tcp(String),
    /// `tls://host:port`
    Tls(String),
    /// `unix:///path`
    Unix(PathBuf),
    /// `mem://name`
    Mem(String),
}

/// Where calls go: straight to an address, or to whoever a registry names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// One peer.
    Direct(Address),
    /// `list://a:1,b:2`
    List(Vec<Address>),
    /// `file:///path[#service]`
    File(PathBuf, Option<String>),
    /// `registry://host:port[/package.Service]`
    Registry(Address, Option<String>),
}

/// What follows the `?`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `balance=round_robin|random`
    pub(crate) balance: Option<String>,
    /// `msgpack-rpc+` before the scheme: the peer speaks MessagePack-RPC.
    pub(crate) msgpack_rpc: bool,
    /// `spelling=Service.method`: how such a peer names methods.
    pub(crate) spelling: Option<Spelling>,
}

/// Stands before the scheme of a peer that speaks MessagePack-RPC.
const MSGPACK_RPC: &str = "msgpack-rpc+";

/// Printed below every wrong address.
const FORMS: &str = "accepted forms: tcp://host:port, tls://host:port, unix:///path, mem://name, list://host:port,host:port, \
                     file:///path, registry://host:port/package.Service; msgpack-rpc+tcp://… and msgpack-rpc+unix://… for peers that speak \
                     MessagePack-RPC";

/// The schemes of this version.
const SCHEMES: [&str; 7] = ["tcp", "tls", "unix", "mem", "list", "file", "registry"];

impl Target {
    /// Reads an address with its options.
    pub(crate) fn parse(text: &str) -> Result<(Self, Options)> {
        let wrong = |why: &str| wrong(text, why);
        let Some((scheme, rest)) = text.trim().split_once("://") else {
            return Err(wrong(&without_scheme(text.trim())));
        };
        let (msgpack_rpc, scheme) = match scheme.strip_prefix(MSGPACK_RPC) {
            Some(scheme) => (true, scheme),
            None => (false, scheme),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut options = Options::parse(query).map_err(|why| wrong(&why))?;
        options.msgpack_rpc = msgpack_rpc;
        let target = match scheme {
            "tcp" => Self::Direct(Address::Tcp(host_port(rest).map_err(|why| wrong(&why))?)),
            "tls" => Self::Direct(Address::Tls(host_port(rest).map_err(|why| wrong(&why))?)),
            "unix" if rest.is_empty() => return Err(wrong("the path of the socket is missing")),
            "unix" => Self::Direct(Address::Unix(PathBuf::from(rest))),
            "mem" if rest.is_empty() => return Err(wrong("the name is missing")),
            "mem" => Self::Direct(Address::Mem(rest.to_owned())),
            "list" => Self::List(list(rest).map_err(|why| wrong(&why))?),
            "file" => {
                let (path, service) = rest
                    .split_once('#')
                    .map_or((rest, None), |(path, service)| {
                        (path, Some(service.to_owned()))
                    });
                if path.is_empty() {
                    return Err(wrong("the path of the file is missing"));
                }
                Self::File(PathBuf::from(path), service)
            }
            "registry" => {
                let (host, service) = rest.split_once('/').unwrap_or((rest, ""));
                let host = host_port(host).map_err(|why| wrong(&why))?;
                Self::Registry(
                    Address::Tcp(host),
                    (!service.is_empty()).then(|| service.to_owned()),
                )
            }
            "http" | "https" => {
                return Err(wrong(
                    "this is no HTTP; write tcp:// for the port that the server listens on",
                ));
            }
            "ws" | "etcd" | "zookeeper" | "consul" | "eureka" | "nacos" | "dns" | "k8s" => {
                return Err(wrong(&format!(
                    "`{scheme}://` is planned, and not part of this version"
                )));
            }
            "msgpack-rpc" => {
                return Err(wrong(&format!(
                    "say what is below MessagePack-RPC, write `msgpack-rpc+tcp://{rest}` or `msgpack-rpc+unix://{rest}`"
                )));
            }
            _ => return Err(wrong(&unknown_scheme(scheme))),
        };
        if msgpack_rpc && !matches!(target, Self::Direct(_)) {
            return Err(wrong(&format!(
                "`{MSGPACK_RPC}` stands before the address of one peer; for a {scheme} of them use `Channel::builder().msgpack_rpc()`"
            )));
        }
        Ok((target, options))
    }
}

#[cold]
#[inline(never)]
fn wrong(text: &str, why: &str) -> Error {
    Error::invalid(format!("`{text}` is no address: {why}; {FORMS}"))
}

impl Address {
    /// Reads an address that names one peer.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match Target::parse(text)? {
            (Target::Direct(address), options) if options.msgpack_rpc => {
                Err(Error::invalid(format!(
                    "`{text}` is for clients of one peer; here write `{address}`: whoever listens there is asked in its own way, \
                     and a server understands MessagePack-RPC on every address"
                )))
            }
            (Target::Direct(address), _) => Ok(address),
            _ => Err(Error::invalid(format!(
                "`{text}` names a registry, one address is needed here: tcp://host:port, tls://host:port, unix:///path or mem://name"
            ))),
        }
    }
}

impl Options {
    fn parse(query: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("balance", name @ ("round_robin" | "random"))) => {
                    options.balance = Some(name.to_owned())
                }
                Some(("balance", other)) => {
                    return Err(format!(
                        "`balance={other}` is not known, use round_robin or random"
                    ));
                }
                Some(("spelling", word)) => {
                    let known = Spelling::WORDS.iter().find(|(known, _)| *known == word);
                    let Some((_, spelling)) = known else {
                        let words = Spelling::WORDS.map(|(word, _)| word).join(", ");
                        return Err(format!(
                            "`spelling={word}` is not known, use one of {words}"
                        ));
                    };
                    options.spelling = Some(*spelling);
                }
                _ => {
                    return Err(format!(
                        "the option `{pair}` is not known, there are `balance=round_robin|random` and, for MessagePack-RPC, \
                         `spelling=method|Service/method|…`"
                    ));
                }
            }
        }
        Ok(options)
    }
}

/// What is missing in `127.0.0.1:7000` and `tcp:127.0.0.1:7000`.
fn without_scheme(text: &str) -> String {
    let rest = SCHEMES.iter().find_map(|scheme| {
        let rest = text.strip_prefix(scheme)?.strip_prefix(':')?;
        Some(format!("{scheme}://{}", rest.trim_start_matches('/')))
    });
    let has_port = text
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match rest {
        Some(meant) => format!("two slashes follow the scheme, write `{meant}`"),
        None if has_port => format!("it has no scheme, write `tcp://{text}`"),
        None => "it has no scheme".to_owned(),
    }
}

fn unknown_scheme(scheme: &str) -> String {
    let small = scheme.to_ascii_lowercase();
    let count = |text: &str, letter| text.bytes().filter(|other| *other == letter).count();
    let has_letters = |known: &str| {
        let mut letters = known.bytes();
        known.len() == small.len()
            && letters.all(|letter| count(known, letter) == count(&small, letter))
    };
    // Capitals, and letters in another order: what happens most to words as short as these.
    match SCHEMES.iter().find(|known| has_letters(known)) {
        Some(known) => format!("the scheme `{scheme}` is not known, write `{known}://`"),
        None => format!("the scheme `{scheme}` is not known"),
    }
}

/// The host of `host:port`.
pub(super) fn host(host_port: &str) -> &str {
    host_port
        .rsplit_once(':')
        .map_or(host_port, |(host, _)| host)
}

fn host_port(text: &str) -> Result<String, String> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!(
            "the port is missing, write `{}:7000`",
            if text.is_empty() { "host" } else { text }
        ));
    };
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if host.contains(':') && !host.starts_with('[') {
        return Err(format!(
            "write an IPv6 address in brackets, `[{host}]:{port}`"
        ));
    }
    match port.parse::<u16>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!(
            "`{port}` is no port, ports are numbers from 0 to 65535"
        )),
    }
}

fn list(text: &str) -> Result<Vec<Address>, String> {
    let addresses: Result<Vec<_>, _> = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once("://") {
            None => host_port(part).map(Address::Tcp),
            Some(_) => Address::parse(part).map_err(|error| error.message().to_owned()),
        })
        .collect();
    match addresses {
        Ok(addresses) if addresses.is_empty() => Err("the list is empty".to_owned()),
        other => other,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Tls(host) => write!(f, "tls://{host}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Mem(name) => write!(f, "mem://{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let direct = |text: &str| Target::parse(text).unwrap().0;
        assert_eq!(
            direct("tcp://127.0.0.1:80"),
            Target::Direct(Address::Tcp("127.0.0.1:80".into()))
        );
        assert_eq!(
            direct("tcp://[::1]:80"),
            Target::Direct(Address::Tcp("[::1]:80".into()))
        );
        assert_eq!(
            direct("unix:///tmp/a b"),
            Target::Direct(Address::Unix("/tmp/a b".into()))
        );
        assert_eq!(
            direct("tls://shop.example:7443"),
            Target::Direct(Address::Tls("shop.example:7443".into()))
        );
        assert_eq!(direct("mem://x"), Target::Direct(Address::Mem("x".into())));
        assert_eq!(
            direct("list://a:1, b:2"),
            Target::List(vec![Address::Tcp("a:1".into()), Address::Tcp("b:2".into())])
        );
        assert_eq!(
            direct("list://unix:///x,b:2"),
            Target::List(vec![Address::Unix("/x".into()), Address::Tcp("b:2".into())])
        );
        assert_eq!(
            direct("list://tls://a:1,b:2"),
            Target::List(vec![Address::Tls("a:1".into()), Address::Tcp("b:2".into())])
        );
        assert_eq!(
            direct("file:///etc/x#a.B"),
            Target::File("/etc/x".into(), Some("a.B".into()))
        );
        assert_eq!(
            direct("registry://h:1/a.B"),
            Target::Registry(Address::Tcp("h:1".into()), Some("a.B".into()))
        );
        assert_eq!(
            direct("registry://h:1"),
            Target::Registry(Address::Tcp("h:1".into()), None)
        );
        assert_eq!(
            Target::parse("list://a:1?balance=random")
                .unwrap()
                .1
                .balance
                .as_deref(),
            Some("random")
        );
    }

    #[test]
    fn every_mistake_shows_the_accepted_forms_and_the_mend() {
        let cases = [
            ("127.0.0.1:7000", "write `tcp://127.0.0.1:7000`"),
            ("", "it has no scheme"),
            ("tcp://localhost", "write `localhost:7000`"),
            ("tcp://:7000", "the host is missing"),
            ("tcp://a:port", "`port` is no port"),
            ("tcp://a:70000", "`70000` is no port"),
            (
                "tcp://::1:70",
                "write an IPv6 address in brackets, `[::1]:70`",
            ),
            ("http://a:1", "this is no HTTP"),
            ("etcd://a:1", "`etcd://` is planned"),
            ("tpc://a:1", "the scheme `tpc` is not known, write `tcp://`"),
            ("TCP://a:1", "the scheme `TCP` is not known, write `tcp://`"),
            ("udp://a:1", "the scheme `udp` is not known;"),
            ("tcp:127.0.0.1:80", "write `tcp://127.0.0.1:80`"),
            ("tcp:/127.0.0.1:80", "write `tcp://127.0.0.1:80`"),
            ("unix://", "the path of the socket is missing"),
            ("list://", "the list is empty"),
            ("list://a:1?balance=best", "use round_robin or random"),
            ("list://a:1?speed=1", "the option `speed=1` is not known"),
            (
                "msgpack-rpc://a:1",
                "say what is below MessagePack-RPC, write `msgpack-rpc+tcp://a:1`",
            ),
            ("msgpack-rpc+tcp://a", "write `a:7000`"),
            ("msgpack-rpc+tpc://a:1", "write `tcp://`"),
            (
                "msgpack-rpc+list://a:1",
                "use `Channel::builder().msgpack_rpc()`",
            ),
            (
                "msgpack-rpc+tcp://a:1?spelling=Method",
                "`spelling=Method` is not known, use one of method, Service/method",
            ),
        ];
        for (text, expected) in cases {
            let error = Target::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(
                error.contains("accepted forms: tcp://host:port"),
                "{text}: {error}"
            );
        }
    }
}
