//! `eqflow convert`.

use super::report::Report;
use super::{Outcome, files};
use clap::Args;
use eqflow::field::Shape;
use eqflow::io::{KernelDynamics, open_kernel_dynamics, read_trajectory, write_trajectory};
use std::path::PathBuf;
use std::process::ExitCode;

/// Write a model or a trajectory in another format, or import a model of the paper's authors' library.
#[derive(Args)]
#[command(
    after_help = "Example:\n  eqflow convert samples.npz -o samples.xyz\n  eqflow convert state.safetensors --kernel-dynamics 4,2 -o dw4.eqf"
)]
pub struct Options {
    /// Model (.eqf, .safetensors) or configurations (.xyz, .npy, .npz).
    file: PathBuf,
    /// The file is a `KernelDynamics` state dictionary for N particles in D dimensions: N,D. Means and bandwidths that it
    /// lacks are those of the library's double-well examples.
    #[arg(long, value_name = "N,D", value_parser = shape)]
    kernel_dynamics: Option<Shape>,
    /// D of configurations that do not say so.
    #[arg(long)]
    dimension: Option<usize>,
    /// The file to write.
    #[arg(long, short)]
    output: PathBuf,
}

fn shape(text: &str) -> Result<Shape, String> {
    let parsed =
        text.split_once(',').and_then(|(n, d)| Some((n.trim().parse().ok()?, d.trim().parse().ok()?)));
    let (particles, dimension) = parsed.ok_or("not two numbers with a comma, such as 4,2")?;
    Ok(Shape { particles, dimension })
}

pub fn run(options: &Options) -> Outcome {
    files::writable(&options.output)?;
    let mut report = Report::new(format!("convert {}", options.file.display()));
    let extension = options.file.extension().and_then(|extension| extension.to_str());
    if matches!(extension, Some("eqf" | "safetensors")) {
        let file = match options.kernel_dynamics {
            Some(shape) => open_kernel_dynamics(&options.file, &KernelDynamics::double_well(shape))?,
            None => files::open_model(&options.file)?,
        };
        files::write_model(&options.output, &file.model())?;
    } else {
        write_trajectory(&options.output, &read_trajectory(&options.file, options.dimension)?)?;
    }
    report.file(&options.output);
    Ok((report, ExitCode::SUCCESS))
}
