//! Generates from `proto/bench.proto`; needs `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tonic_prost_build::compile_protos("proto/bench.proto")?;
    Ok(())
}
