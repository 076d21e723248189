//! Times of the same work by peers, from `benches/peers/peers.py --csv`.

use crate::figures::Figure;
use std::error::Error;
use std::path::Path;

/// One row of the peers' file.
#[derive(Clone, Debug)]
pub struct Peer {
    pub peer: String,
    pub system: String,
    pub precision: String,
    pub task: String,
    pub batch: usize,
    /// Median.
    pub seconds: f64,
}

/// Reads `peer,system,precision,task,batch,seconds_median,...` with a heading.
pub fn read(path: &Path) -> Result<Vec<Peer>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read '{}': {e}", path.display()))?;
    let mut peers = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let at = |column: usize| {
            cells.get(column).copied().ok_or(format!(
                "{}:{}: a column is missing",
                path.display(),
                number + 1
            ))
        };
        peers.push(Peer {
            peer: at(0)?.to_lowercase(),
            system: at(1)?.to_lowercase().replace('-', ""),
            precision: at(2)?.to_owned(),
            task: at(3)?.to_owned(),
            batch: at(4)?.parse()?,
            seconds: at(5)?.parse()?,
        });
    }
    Ok(peers)
}

/// How many times faster the library is, for each row that it has a figure for.
pub fn print_ratios(figures: &[Figure], peers: &[Peer]) {
    let isa = eqflow::lanes::Isa::best().as_str();
    for peer in peers {
        let (system, precision, batch) = (&peer.system, &peer.precision, peer.batch);
        let name = match peer.task.as_str() {
            "forward" => format!("forward-{system}-normalized-{precision}-compiled-{isa}-{batch}"),
            _ => format!("training-{system}-{precision}-auto-{batch}"),
        };
        if let Some(figure) = figures.iter().find(|figure| figure.name == name) {
            let (theirs, ours) = (peer.seconds, figure.seconds.median);
            println!(
                "{:<6} {name:<44} {:>10.3} ms, here {:>8.4} ms: {:>6.0} times",
                peer.peer,
                1e3 * theirs,
                1e3 * ours,
                theirs / ours
            );
        }
    }
}
