//! Going to a place.

use symphonia::core::io::MediaSource;

use super::ebml::element;
use super::window::Window;
use super::{CLUSTER, ELEMENTS, File, segment};
use crate::decode::failure::{Failure, bad};

/// A place, and bytes that stand there instead of what is in the file: they make everything between the
/// first cluster and the one that holds a time an empty element. symphonia itself would go to a cluster by
/// the index and take the index's time for the cluster's, which it need not be.
pub(in crate::decode) fn skip(
    source: &mut dyn MediaSource,
    nanoseconds: u64,
) -> Result<(u64, Vec<u8>), Failure> {
    let mut window = Window::new(source);
    let (begin, to) = segment(&mut window)?;
    let mut file = File { scale: 1_000_000, ..File::default() };
    file.head(&mut window, begin, to)?;
    file.read_index(&mut window, begin, to)?;
    let first = file.first.ok_or_else(|| bad("format", "the Matroska file has no cluster"))?;
    let ticks = nanoseconds / file.scale;
    let known = file.index.iter().filter(|(time, _)| *time <= ticks).map(|(_, place)| *place).max();
    let (mut at, mut found) = (known.unwrap_or(first), known.unwrap_or(first));
    while at < to && file.elements < ELEMENTS {
        let Some(cluster) = element(&mut window, at)? else { break };
        file.elements += 1;
        if cluster.id == CLUSTER {
            if file.time(&mut window, cluster)? > ticks {
                break;
            }
            found = at;
        }
        let Some(end) = cluster.to else { break };
        at = end;
    }
    // An empty element: its number, a length of seven bytes after the one that says so.
    let Some(length) = found.checked_sub(first + 9) else { return Ok((first, Vec::new())) };
    let mut head = vec![0xec, 0x01];
    head.extend_from_slice(&length.to_be_bytes()[1..]);
    Ok((first, head))
}
