//! Services that are mounted and never called, so that the table of call IDs is as long as wanted.

use rpc_runtime::__private::{Answer, Incoming, Skeleton};
use rpc_runtime::{MethodDescriptor, MethodKind, Server, ServiceDescriptor};

use crate::strings::bench::v1::BenchService;
use crate::strings::service::{self, Shop};

/// Mounts services with so many methods in all. Their tables are made here instead of by the generator: ten thousand
/// generated methods would take minutes to compile, and a table is a table.
pub(crate) fn mount(server: Server, methods: usize) -> Server {
    let services = methods.div_ceil(METHODS);
    (0..services).fold(server, |server, number| {
        let count = METHODS.min(methods - number * METHODS);
        server.add(Crowd {
            service: describe(number, count),
            skeleton: service::service(),
        })
    })
}

/// Methods of one service.
const METHODS: usize = 100;

struct Crowd {
    service: &'static ServiceDescriptor,
    skeleton: BenchService<Shop>,
}

impl Skeleton for Crowd {
    fn service(&self) -> &'static ServiceDescriptor {
        self.service
    }

    fn call(&self, _: usize, request: Incoming) -> Answer {
        self.skeleton.call(0, request)
    }
}

/// A descriptor that lives as long as the process, like those that are generated.
fn describe(number: usize, count: usize) -> &'static ServiceDescriptor {
    let name: &'static str = format!("bench.crowd.v1.Crowd{number}").leak();
    let method = |index: usize| MethodDescriptor {
        id: FIRST + (number * METHODS + index) as u64,
        service: name,
        name: "crowd",
        wire_name: "crowd",
        kind: MethodKind::Unary,
        oneway: false,
        idempotent: false,
        finish: false,
        timeout: None,
        retry: None,
        fingerprint: 0,
        signature: "()",
        served: true,
    };
    Box::leak(Box::new(ServiceDescriptor {
        name,
        fingerprint: number as u64,
        version: None,
        docs: "",
        methods: (0..count).map(method).collect::<Vec<_>>().leak(),
    }))
}

/// Call IDs far from those that are computed, which are 53 bits of a hash, by any likelihood.
const FIRST: u64 = 1 << 20;
