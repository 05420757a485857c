//! volo, as it is measured.

use std::process::ExitCode;

fn main() -> ExitCode {
    bench_load::main::<bench_volo::Volo>(None)
}
