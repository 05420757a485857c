//! A side door of each server, over which the load generator asks what the server has used.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::Result;
use crate::usage::{Allocations, Usage};

/// Answers every line with the counters of this process, on a thread that otherwise sleeps.
///
/// # Errors
///
/// There is no free port.
pub(crate) fn serve(allocations: Allocations) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Only one asks at a time.
            let _ = answer(&stream, allocations);
        }
    });
    Ok(address)
}

fn answer(stream: &TcpStream, allocations: Allocations) -> Result<()> {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let usage = serde_json::to_string(&Usage::now(allocations))?;
        let mut stream = stream;
        stream.write_all(format!("{usage}\n").as_bytes())?;
        line.clear();
    }
    Ok(())
}

/// The load generator's end of the side door.
pub(crate) struct Control {
    stream: BufReader<TcpStream>,
}

impl Control {
    pub(crate) fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// What the server has used until now.
    pub(crate) fn usage(&mut self) -> Result<Usage> {
        self.stream.get_mut().write_all(b"usage\n")?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}
