//! What everything costs: `cargo bench --bench throughput` prints a table and writes it with two pictures to
//! `out/bench`; `-- PART...` measures only the figures whose name contains a part; `-- --once NAME` runs one figure
//! once, for callgrind.
//!
//! `-- --peers FILE` adds the times of `benches/peers/peers.py --csv FILE`, measured on the same machine right before.
//!
//! A pair-evaluation is one unordered pair at one evaluation of velocity and divergence; a forward pass of 20 steps
//! has 80 evaluations. Cycles are ticks of the time-stamp counter, or nanoseconds where there is none. Figures are
//! medians with quartiles and the fastest of the repetitions. Nothing is asserted: machines are noisy, ratios within
//! one run are not.

mod figures;
mod forward;
mod ladder;
mod models;
mod others;
mod peak;
mod peers;
mod picture;
mod timing;

use figures::Figure;
use std::error::Error;
use std::path::Path;

/// From the command line; what cargo itself adds is left out.
#[derive(clap::Parser)]
#[command(about = "What everything costs")]
struct Arguments {
    /// Only figures whose name contains one of these parts
    parts: Vec<String>,
    /// Run one figure once, without timing
    #[arg(long, value_name = "NAME")]
    once: Option<String>,
    /// Times of peers, from benches/peers/peers.py
    #[arg(long, value_name = "FILE")]
    peers: Option<std::path::PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = <Arguments as clap::Parser>::parse();
    let mut cases = forward::cases();
    cases.extend(ladder::cases());
    cases.extend(others::cases());
    if let Some(name) = &arguments.once {
        let case = cases.iter().find(|case| case.name() == *name);
        case.ok_or_else(|| format!("no figure is named '{name}'"))?.run_once();
        return Ok(());
    }
    let chosen = |name: &str| arguments.parts.is_empty() || arguments.parts.iter().any(|p| name.contains(p));
    let peak = peak::measure();
    println!(
        "measured peak of multiplications and additions: {:.1} f64, {:.1} f32 a cycle",
        peak[0], peak[1]
    );
    println!("{}", Figure::heading());
    let mut figures = Vec::new();
    for case in cases.iter().filter(|case| chosen(&case.name())) {
        let figure = case.measure(&peak);
        println!("{figure}");
        figures.push(figure);
    }
    let peers = arguments.peers.as_deref().map(peers::read).transpose()?.unwrap_or_default();
    peers::print_ratios(&figures, &peers);
    let folder = Path::new("out/bench");
    std::fs::create_dir_all(folder)?;
    figures::write_csv(&folder.join("throughput.csv"), &figures)?;
    for path in picture::draw(folder, &figures, &peers)? {
        println!("wrote {}", path.display());
    }
    Ok(())
}
