//! How often replicas travel between the ends of a ladder of temperatures.

use super::error::Error;

/// For each replica the number of its round trips: from rung 0 to rung `replicas` - 1 and back.
///
/// `rungs` (`[samples][replicas]`) tells which rung each replica occupies at each sample; a replica that starts above
/// rung 0 begins to count when it gets there. Exchange rates may be high and no replica travel: the number of round
/// trips is what the lowest rung gains of the highest (Katzgraber et al. 2006).
///
/// # Errors
/// Fewer than two replicas; a length that is not a multiple of them; the index of the first entry that is no rung or
/// that another replica occupies at the same sample.
pub fn round_trips(rungs: &[usize], replicas: usize) -> Result<Vec<usize>, Error> {
    if replicas < 2 {
        return Err(Error::value("replicas", replicas as f64, "at least 2"));
    }
    if !rungs.len().is_multiple_of(replicas) {
        let demand = "a multiple of the replicas";
        return Err(Error::Length { name: "rungs", length: rungs.len(), demand });
    }
    let mut trips = vec![0; replicas];
    let mut towards = vec![Travel::Lost; replicas];
    for (sample, rungs) in rungs.chunks_exact(replicas).enumerate() {
        let mut occupied = vec![false; replicas];
        for (replica, &rung) in rungs.iter().enumerate() {
            if rung >= replicas || occupied[rung] {
                let demand = "a rung that no other replica occupies";
                return Err(Error::element("rungs", sample * replicas + replica, rung as f64, demand));
            }
            occupied[rung] = true;
            towards[replica] = match (towards[replica], rung) {
                (Travel::Down, 0) => {
                    trips[replica] += 1;
                    Travel::Up
                }
                (Travel::Lost, 0) => Travel::Up,
                (Travel::Up, rung) if rung == replicas - 1 => Travel::Down,
                (travel, _) => travel,
            };
        }
    }
    Ok(trips)
}

/// Which end a replica has to reach next.
#[derive(Clone, Copy)]
enum Travel {
    /// Not yet at rung 0.
    Lost,
    Up,
    Down,
}
