//! Extended XYZ text: for each frame the number of particles, a line of `key=value`, and one line a particle.
//!
//! The `Properties` key names the columns; without one they are a species and three positions, as in plain XYZ. No crate
//! that is kept up reads the extended form, so this does, and no more of it than configurations need.

use super::error::Cause;
use super::trajectory::Trajectory;
use crate::field::Shape;
use std::fmt::Write;

/// Where the columns of interest lie.
struct Columns {
    species: Option<usize>,
    position: usize,
    /// Columns of the position.
    width: usize,
    /// All columns; `None` where the line may have more.
    total: Option<usize>,
}

impl Columns {
    const PLAIN: Columns = Columns { species: Some(0), position: 1, width: 3, total: None };

    /// From `species:S:1:pos:R:3:...`.
    fn parse(properties: &str) -> Result<Self, String> {
        let parts: Vec<&str> = properties.split(':').collect();
        let (mut species, mut position, mut total) = (None, None, 0);
        for property in parts.chunks(3) {
            let [name, kind, count] = property else {
                return Err(format!("Properties '{properties}' is not made of name:type:columns"));
            };
            let count = count.parse().ok().filter(|count| (1..=1000).contains(count));
            let count: usize = count.ok_or(format!("Properties give {name} '{}' columns", property[2]))?;
            match (*name, *kind) {
                ("species", "S") if count == 1 => species = Some(total),
                ("pos", "R") if count <= 3 => position = Some((total, count)),
                ("species" | "pos", _) => return Err(format!("Properties give {name} as {kind}:{count}")),
                _ => {}
            }
            total += count;
        }
        let (position, width) = position.ok_or("Properties have no pos")?;
        Ok(Columns { species, position, width, total: Some(total) })
    }
}

/// The parts of a comment that matter.
struct Comment {
    columns: Columns,
    dimension: Option<usize>,
    energy: Option<f64>,
    log_prob: Option<f64>,
}

impl Comment {
    fn parse(line: &str) -> Result<Self, String> {
        let mut comment = Comment { columns: Columns::PLAIN, dimension: None, energy: None, log_prob: None };
        let (mut lattice, mut periodic) = (false, None);
        for (key, value) in pairs(line)? {
            match key {
                _ if key.eq_ignore_ascii_case("properties") => comment.columns = Columns::parse(value)?,
                _ if key.eq_ignore_ascii_case("lattice") => lattice = true,
                "pbc" => {
                    periodic = Some(value.split_whitespace().any(|flag| !matches!(flag, "F" | "False" | "0")))
                }
                "dimension" => comment.dimension = Some(dimension(value)?),
                "energy" => comment.energy = Some(scalar("energy", value)?),
                "log_prob" => comment.log_prob = Some(scalar("log_prob", value)?),
                _ => {}
            }
        }
        // A lattice without pbc is periodic by the format's definition.
        if periodic.unwrap_or(lattice) {
            return Err("the frame has periodic boundaries, which flows do not know".into());
        }
        Ok(comment)
    }
}

/// The `key=value` of a comment; values may be quoted. Words without a value are left out.
fn pairs(line: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut pairs = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        rest = after;
        if let Some(after) = after.strip_prefix('=') {
            let close = match after.chars().next() {
                Some('"') => Some('"'),
                Some('\'') => Some('\''),
                Some('{') => Some('}'),
                Some('[') => Some(']'),
                _ => None,
            };
            let (value, after) = match close {
                Some(close) => {
                    after[1..].split_once(close).ok_or(format!("the value of {key} has no end"))?
                }
                None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
            pairs.push((key, value));
            rest = after;
        }
        rest = rest.trim_start();
    }
    Ok(pairs)
}

fn dimension(value: &str) -> Result<usize, String> {
    let dimension = value.parse().ok().filter(|dimension| (1..=3).contains(dimension));
    dimension.ok_or(format!("dimension is '{value}', not 1, 2 or 3"))
}

fn scalar(key: &str, value: &str) -> Result<f64, String> {
    match value.parse::<f64>() {
        Ok(number) if !number.is_nan() => Ok(number),
        _ => Err(format!("{key} is '{value}', not a number")),
    }
}

/// What the first frame has fixed, and all frames so far.
struct Reader {
    /// What the caller says of D.
    dimension: Option<usize>,
    trajectory: Option<Trajectory>,
}

/// Reads all frames. `dimension` overrides what the file says.
pub(super) fn parse(bytes: &[u8], dimension: Option<usize>) -> Result<Trajectory, Cause> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        Cause::Line { line, reason: "not text in UTF-8".into() }
    })?;
    let mut reader = Reader { dimension, trajectory: None };
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    let mut at = 0;
    while at < end {
        at += reader.frame(&lines[at..end], at + 1)?;
    }
    reader.trajectory.ok_or(Cause::Line { line: 1, reason: "no frame".into() })
}

impl Reader {
    /// Reads the frame at the front of `lines`, whose first has the number `first`; returns how many lines it had.
    fn frame(&mut self, lines: &[&str], first: usize) -> Result<usize, Cause> {
        let fail = |line: usize, reason: String| Cause::Line { line: first + line, reason };
        let count = lines[0].trim();
        let particles: usize = count.parse().ok().filter(|&count| count > 0).ok_or_else(|| {
            fail(0, format!("'{}' is not the number of particles of a frame", shortened(count)))
        })?;
        let comment =
            lines.get(1).ok_or_else(|| fail(1, "the file ends before the frame's comment".into()))?;
        let comment = Comment::parse(comment).map_err(|reason| fail(1, reason))?;
        if lines.len() < particles.saturating_add(2) {
            let reason = format!("the file ends after {} of {particles} particles", lines.len() - 2);
            return Err(fail(lines.len(), reason));
        }
        let dimension = self.dimension.or(comment.dimension).unwrap_or(comment.columns.width);
        if dimension == 0 || dimension > comment.columns.width {
            let reason = format!("positions have {} columns, not {dimension}", comment.columns.width);
            return Err(fail(1, reason));
        }
        let shape = Shape { particles, dimension };
        let trajectory = self.trajectory.get_or_insert_with(|| Trajectory {
            species: Vec::new(),
            energies: comment.energy.map(|_| Vec::new()),
            log_probs: comment.log_prob.map(|_| Vec::new()),
            ..Trajectory::new(shape, Vec::new())
        });
        if trajectory.shape != shape {
            let Shape { particles: other, dimension: before } = trajectory.shape;
            return Err(fail(
                0,
                format!(
                    "{particles} particles in {dimension} dimensions after frames of {other} in {before}"
                ),
            ));
        }
        add_scalar("energy", &mut trajectory.energies, comment.energy).map_err(|reason| fail(1, reason))?;
        add_scalar("log_prob", &mut trajectory.log_probs, comment.log_prob)
            .map_err(|reason| fail(1, reason))?;
        for (particle, line) in lines[2..2 + particles].iter().enumerate() {
            add_particle(trajectory, particle, &comment.columns, line)
                .map_err(|reason| fail(2 + particle, reason))?;
        }
        Ok(2 + particles)
    }
}

fn add_scalar(key: &str, all: &mut Option<Vec<f64>>, value: Option<f64>) -> Result<(), String> {
    match (all, value) {
        (Some(all), Some(value)) => all.push(value),
        (None, None) => {}
        (Some(_), None) => return Err(format!("no {key}, which the frames before have")),
        (None, Some(_)) => return Err(format!("{key}, which the frames before do not have")),
    }
    Ok(())
}

fn add_particle(
    trajectory: &mut Trajectory,
    particle: usize,
    columns: &Columns,
    line: &str,
) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let least = columns.total.unwrap_or(columns.position + columns.width);
    if words.len() < least || columns.total.is_some_and(|total| words.len() > total) {
        return Err(format!("{} columns, not {least}", words.len()));
    }
    let species = columns.species.map_or("X", |column| words[column]);
    match trajectory.species.get(particle) {
        None => trajectory.species.push(species.into()),
        Some(before) if before == species => {}
        Some(before) => {
            return Err(format!("particle {} is {species}, in the frames before {before}", particle + 1));
        }
    }
    for k in 0..columns.width {
        let word = words[columns.position + k];
        let value = word.parse::<f64>().ok().filter(|value| value.is_finite());
        let value = value.ok_or_else(|| {
            format!("column {} is '{}', not a finite number", columns.position + k + 1, shortened(word))
        })?;
        if k < trajectory.shape.dimension {
            trajectory.samples.push(value);
        } else if value != 0.0 {
            let name = ["x", "y", "z"][k];
            return Err(format!("{name} is {value}, not 0 as in {} dimensions", trajectory.shape.dimension));
        }
    }
    Ok(())
}

/// The beginning of a word, for messages about files that are no XYZ at all.
fn shortened(word: &str) -> String {
    word.chars().take(40).collect()
}

/// All frames as text, three columns of positions whatever D; numbers come back to the last bit.
pub(super) fn text(trajectory: &Trajectory) -> Result<String, Cause> {
    let Shape { particles, dimension } = trajectory.shape;
    if let Some(bad) =
        trajectory.species.iter().find(|name| name.is_empty() || name.contains(char::is_whitespace))
    {
        return Err(Cause::Format(format!("the species '{bad}' is not one word")));
    }
    let mut text = String::new();
    let written = "writing to a string does not fail";
    for (frame, sample) in trajectory.samples.chunks_exact(trajectory.shape.coordinates()).enumerate() {
        write!(text, "{particles}\nProperties=species:S:1:pos:R:3 pbc=\"F F F\"").expect(written);
        if dimension < 3 {
            write!(text, " dimension={dimension}").expect(written);
        }
        for (key, values) in [("energy", &trajectory.energies), ("log_prob", &trajectory.log_probs)] {
            if let Some(values) = values {
                write!(text, " {key}={:?}", values[frame]).expect(written);
            }
        }
        text.push('\n');
        for (species, position) in trajectory.species.iter().zip(sample.chunks_exact(dimension)) {
            text.push_str(species);
            for k in 0..3 {
                write!(text, " {:?}", position.get(k).copied().unwrap_or(0.0)).expect(written);
            }
            text.push('\n');
        }
    }
    Ok(text)
}
