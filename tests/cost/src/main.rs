//! Makes so many calls of one kind, to be counted by `valgrind --tool=callgrind`.
//!
//! ```text
//! valgrind --tool=callgrind target/release/cost get 64 2000
//! ```

use cost::{Case, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [case, abreast, calls] = arguments.as_slice() else {
        return Err(
            "usage: cost add|get|list|measure|wait|echo|items ABREAST CALLS; example: cost get 64 2000"
                .to_owned(),
        );
    };
    let found = Case::ALL.iter().find(|(name, _)| name == case);
    let (_, case) = found.ok_or_else(|| format!("there is no case `{case}`"))?;
    let number = |text: &String| text.parse().map_err(|_| format!("`{text}` is no number"));
    run(*case, number(abreast)?, number(calls)?, || {}).await;
    Ok(())
}
