//! Work on parts of a slice, on several threads.

/// Lets `work` change parts of a slice, each of a multiple of `chunk` values, with the number of its first chunk. As no
/// part knows of another, how many there are changes nothing.
pub fn on_parts<T: Send>(
    threads: usize,
    values: &mut [T],
    chunk: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    let chunk = chunk.max(1);
    let chunks = values.len().div_ceil(chunk).div_ceil(threads.max(1)).max(1);
    if values.len() <= chunks * chunk {
        return work(0, values);
    }
    std::thread::scope(|scope| {
        for (part, values) in values.chunks_mut(chunks * chunk).enumerate() {
            let work = &work;
            scope.spawn(move || work(part * chunks, values));
        }
    });
}
