//! Generates from `hello.proto`; needs `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tonic_prost_build::compile_protos("hello.proto")?;
    Ok(())
}
