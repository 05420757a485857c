//! One run as its arguments say it: `key=value`, in any order.

use std::str::FromStr;
use std::time::Duration;

use crate::{Error, Result};

/// What one process of a run is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `variant=`: which way of using the contestant.
    pub variant: String,
    /// `case=`: what is called.
    pub case: Case,
    /// `kind=`: how it is called.
    pub kind: Kind,
    /// `connections=`
    pub connections: usize,
    /// `in_flight=`: calls in flight on each connection.
    pub in_flight: usize,
    /// `size=`: bytes of an echo's body or of an item.
    pub size: usize,
    /// `rate=`: calls per second of an open loop.
    pub rate: f64,
    /// `warm_up=`, in seconds.
    pub warm_up: Duration,
    /// `seconds=`
    pub time: Duration,
    /// `address=`: where the server is, as it printed it; for a server that listens on a Unix socket, its path.
    pub address: String,
    /// `control=`: where the server tells what it has used.
    pub control: String,
    /// `unix=true`: over a Unix socket.
    pub unix: bool,
    /// `cpu=`: pins the process to this CPU.
    pub cpu: Option<usize>,
    /// `methods=`: methods in the served table, where that can be chosen.
    pub methods: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            variant: String::new(),
            case: Case::Add,
            kind: Kind::Closed,
            connections: 1,
            in_flight: 1,
            size: 0,
            rate: 0.0,
            warm_up: Duration::from_millis(500),
            time: Duration::from_secs(2),
            address: String::new(),
            control: String::new(),
            unix: false,
            cpu: None,
            methods: 0,
        }
    }
}

impl Plan {
    /// Reads `key=value` arguments.
    ///
    /// # Errors
    ///
    /// A key is not known, or a value cannot be read.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut plan = Self::default();
        for argument in arguments {
            let (key, value) = argument
                .split_once('=')
                .ok_or_else(|| format!("`{argument}` is not of the form key=value"))?;
            match key {
                "variant" => plan.variant = value.to_owned(),
                "case" => plan.case = value.parse()?,
                "kind" => plan.kind = value.parse()?,
                "connections" => plan.connections = number(key, value)?,
                "in_flight" => plan.in_flight = number(key, value)?,
                "size" => plan.size = number(key, value)?,
                "rate" => plan.rate = number(key, value)?,
                "warm_up" => plan.warm_up = Duration::from_secs_f64(number(key, value)?),
                "seconds" => plan.time = Duration::from_secs_f64(number(key, value)?),
                "address" => plan.address = value.to_owned(),
                "control" => plan.control = value.to_owned(),
                "unix" => plan.unix = number(key, value)?,
                "cpu" => plan.cpu = Some(number(key, value)?),
                "methods" => plan.methods = number(key, value)?,
                _ => return Err(format!("unknown key `{key}`").into()),
            }
        }
        if plan.connections == 0 || plan.in_flight == 0 {
            return Err("connections and in_flight are at least 1".into());
        }
        Ok(plan)
    }
}

fn number<T: FromStr>(key: &str, value: &str) -> Result<T> {
    value
        .parse()
        .map_err(|_| format!("`{value}` is no value of `{key}`").into())
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `add(u64, u64) -> u64`
    Add,
    /// `get(id) -> Order`
    Get,
    /// `list() -> 200 Orders`, as values
    List,
    /// The same as a view of the answer, from orders that the server only lends
    ListByReference,
    /// `echo(bytes) -> bytes`
    Echo,
    /// Items of bytes
    Stream,
}

impl FromStr for Case {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "add" => Self::Add,
            "get" => Self::Get,
            "list" => Self::List,
            "list-by-reference" => Self::ListByReference,
            "echo" => Self::Echo,
            "stream" => Self::Stream,
            _ => return Err(format!("there is no case `{text}`").into()),
        })
    }
}

/// How it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Each worker calls again as soon as it has its answer.
    Closed,
    /// The same on one thread without an async runtime.
    Blocking,
    /// Calls arrive at a rate of their own.
    Open,
    /// Connections that make one call and then nothing.
    Idle,
    /// Small calls alone, and then beside an upload over the same connection.
    Beside,
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "closed" => Self::Closed,
            "blocking" => Self::Blocking,
            "open" => Self::Open,
            "idle" => Self::Idle,
            "beside" => Self::Beside,
            _ => return Err(format!("there is no kind `{text}`").into()),
        })
    }
}
