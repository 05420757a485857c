//! Generates from `idl/bench.thrift`.

fn main() {
    volo_build::Builder::thrift()
        .add_service("idl/bench.thrift")
        .write()
        .expect("bench.thrift is well-formed");
}
