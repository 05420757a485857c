//! Generates from `hello.capnp`; needs the compiler `capnp`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    capnpc::CompilerCommand::new().file("hello.capnp").run()?;
    Ok(())
}
