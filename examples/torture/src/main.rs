//! Attacks a server process over raw sockets, and measures what it keeps afterwards.

mod attacks;
mod raw;
mod server;

use std::process::ExitCode;
use std::time::Duration;

use attacks::{ATTACKS, Attack};
use server::{Kept, Victim};

const HELP: &str = "\
Starts a server in a process of its own and attacks it over raw sockets. After each attack a caller who was there before
must still be served; at the end the server must keep no more memory than before, but for 8 MiB, and no more allocations, but for
1 MiB. (The thresholds of glibc's allocator are fixed in the server's process: as they are, it keeps some 30 MiB more for the
next large message.)

    cargo run --release -p torture              every attack at full size
    cargo run -p torture -- --quick             the same, smaller: for every build
    cargo run -p torture -- [--quick] PART …    only attacks whose names contain one of these
    cargo run -p torture -- --list              the names of the attacks
    cargo run -p torture -- --help              this text

The exit code is 1 if an attack had an effect that it must not have. Needs Linux (/proc).";

/// What may stay: pages that the allocator keeps, and buffers that threads keep.
const MAY_STAY: Kept = Kept {
    resident: 8 << 20,
    live: 1 << 20,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if has("--help") || has("-h") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if has("--list") {
        for attack in ATTACKS {
            println!("{}", attack.name);
        }
        return ExitCode::SUCCESS;
    }
    if has("--serve") {
        return server::serve();
    }
    if let Some(unknown) = arguments
        .iter()
        .find(|argument| argument.starts_with('-') && *argument != "--quick")
    {
        eprintln!("{unknown} is not known\n\n{HELP}");
        return ExitCode::from(2);
    }
    let parts: Vec<_> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let chosen: Vec<_> = ATTACKS
        .iter()
        .filter(|attack| parts.is_empty() || parts.iter().any(|part| attack.name.contains(*part)))
        .collect();
    if chosen.is_empty() {
        eprintln!("no attack has such a name; --list names them");
        return ExitCode::from(2);
    }
    match torture(&chosen, has("--quick")) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            println!("{failed} of {} went wrong", chosen.len() + 1);
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the suite cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the attacks; gives how many had an effect that they must not have.
fn torture(chosen: &[&Attack], quick: bool) -> Result<usize, String> {
    let victim = Victim::start()?;
    // Threads, tables and buffers that any use of the server makes are no leak of an attack.
    victim.warm_up()?;
    let before = victim.kept()?;
    println!(
        "the server, process {}, keeps {} KiB, of which it uses {} KiB",
        victim.process(),
        before.resident >> 10,
        before.live >> 10
    );
    let mut failed = 0;
    for attack in chosen {
        let size = if quick { attack.quick } else { attack.full };
        let outcome = (attack.run)(&victim, size).and_then(|said| {
            victim.serves_others()?;
            Ok(said)
        });
        let memory = victim.memory().map_or(0, |memory| memory >> 10);
        match outcome {
            Ok(said) => println!("held    {:<22} {said} [{memory} KiB]", attack.name),
            Err(why) => {
                failed += 1;
                println!("FAILED  {:<22} {why} [{memory} KiB]", attack.name);
            }
        }
    }
    victim.until_alone()?;
    let wanted = Kept {
        resident: before.resident + MAY_STAY.resident,
        live: before.live + MAY_STAY.live,
    };
    let after = victim.settled(wanted, Duration::from_secs(10))?;
    for (what, before, after, may_stay) in [
        ("memory", before.resident, after.resident, MAY_STAY.resident),
        ("in use", before.live, after.live, MAY_STAY.live),
    ] {
        println!(
            "{what}: {} KiB before, {} KiB after, {} KiB more; {} KiB may stay",
            before >> 10,
            after >> 10,
            (after as i64 - before as i64) >> 10,
            may_stay >> 10
        );
        if after > before + may_stay {
            failed += 1;
            println!("FAILED  memory stays behind");
        }
    }
    Ok(failed)
}
