//! Generates from `hello.thrift`.

fn main() {
    volo_build::Builder::thrift()
        .add_service("hello.thrift")
        .write()
        .expect("hello.thrift is well-formed");
}
