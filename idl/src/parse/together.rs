//! Reads many files: on as many threads as there are processors for them, with what is found in the order of the files.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::read;
use crate::ast::File;
use crate::diagnostic::Sink;
use crate::source::{FileId, Sources};

/// Bytes of text that are worth a thread of their own: some ten milliseconds.
const WORTH: usize = 256 << 10;

/// Reads all files. Nothing depends on how many threads there are.
pub(crate) fn read_all(sources: &Sources, sink: &mut Sink) -> Vec<File> {
    let ids: Vec<FileId> = sources.ids().collect();
    let bytes: usize = ids.iter().map(|id| sources.get(*id).text.len()).sum();
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(ids.len()).min(bytes / WORTH).max(1);
    read_on(threads, &ids, sources, sink)
}

fn read_on(threads: usize, ids: &[FileId], sources: &Sources, sink: &mut Sink) -> Vec<File> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(ids.len()));
    let work = || {
        while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut found = Sink::default();
            let file = read(*id, &sources.get(*id).text, &mut found);
            let mut done = done.lock().unwrap_or_else(|poison| poison.into_inner());
            done.push((file, found));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where there are no threads to be had, this one does all of it.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(|poison| poison.into_inner());
    done.sort_by_key(|(file, _)| file.id);
    let files = done.into_iter().map(|(file, found)| {
        sink.append(found);
        file
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_does_not_depend_on_the_number_of_threads() {
        let found_on = |threads| {
            let mut sources = Sources::default();
            for number in 0..40 {
                let text = match number % 4 {
                    0 => format!("package a.v{number};\nstruct S {{ 1: a: u8, 2: }}\n"),
                    1 => "struct { 1: a }\n".repeat(30),
                    2 => "no definition\n".to_owned(),
                    _ => format!("package a.v{number};\n/* not closed\n"),
                };
                sources.push(format!("{number}.idl"), String::new(), text);
            }
            let ids: Vec<_> = sources.ids().collect();
            let mut sink = Sink::default();
            let files = read_on(threads, &ids, &sources, &mut sink);
            assert!(files.iter().map(|file| file.id).eq(ids));
            (files, sink.finish(sources).render())
        };
        let (files, said) = found_on(1);
        assert!(said.contains("this comment is not closed") || said.contains("more error"));
        for threads in [2, 3, 8] {
            assert!((files.clone(), said.clone()) == found_on(threads));
        }
    }
}
