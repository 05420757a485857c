//! Generates from `schema/bench.capnp`; needs the compiler `capnp`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    capnpc::CompilerCommand::new()
        .src_prefix("schema")
        .file("schema/bench.capnp")
        .run()?;
    Ok(())
}
