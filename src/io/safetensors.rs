//! Parameters as safetensors: ours, and those of the paper's authors' library.

use super::error::{Cause, Error};
use super::model::ModelFile;
use crate::field::Shape;
use crate::flow::{Model, Reals};
use crate::radial::Basis;
use ::safetensors::tensor::TensorView;
use ::safetensors::{Dtype, SafeTensors, serialize};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// The key of the file's metadata under which our files say what is not an array, as JSON.
const KEY: &str = "eqflow";

/// What a model has besides arrays.
#[derive(Serialize, Deserialize)]
struct Description {
    normalized: bool,
    particles: usize,
    dimension: usize,
    eps: f64,
}

/// Writes `model` as safetensors: `weights` (`[L][M]`), `bias` (`[L]`), `importance` (`[M]`), `mu`, `gamma` (`[M]`),
/// `mu_time`, `gamma_time` (`[L]`) in double precision, as [`Model`] has them, and basis, N, D and epsilon as JSON in the
/// metadata. Everything comes back to the last bit. A file is replaced as a whole or not at all.
///
/// # Errors
/// Those of [`Model::check`]; what the operating system said.
pub fn save_safetensors(path: impl AsRef<Path>, model: &Model<'_>) -> Result<(), Error> {
    let path = path.as_ref();
    let write = || {
        model.check()?;
        Ok(super::atomic::replace(path, &bytes(model).map_err(Cause::Format)?)?)
    };
    write().map_err(|cause: Cause| Error::new("write model file", path, cause))
}

fn bytes(model: &Model<'_>) -> Result<Vec<u8>, String> {
    let (m, l) = (model.n_radial(), model.n_time());
    let arrays = [
        ("weights", Some(model.weights), vec![l, m]),
        ("bias", model.bias, vec![l]),
        ("importance", model.importance, vec![m]),
        ("mu", Some(model.mu), vec![m]),
        ("gamma", Some(model.gamma), vec![m]),
        ("mu_time", Some(model.mu_time), vec![l]),
        ("gamma_time", Some(model.gamma_time), vec![l]),
    ];
    let stored: Vec<(&str, Vec<u8>, Vec<usize>)> = arrays
        .into_iter()
        .filter_map(|(name, reals, shape)| {
            Some((name, reals?.iter().flat_map(f64::to_le_bytes).collect(), shape))
        })
        .collect();
    let mut views = Vec::new();
    for (name, bytes, shape) in &stored {
        let view = TensorView::new(Dtype::F64, shape.clone(), bytes).map_err(|error| error.to_string())?;
        views.push((*name, view));
    }
    let description = Description {
        normalized: model.basis == Basis::Normalized,
        particles: model.shape.particles,
        dimension: model.shape.dimension,
        eps: model.eps,
    };
    let description = serde_json::to_string(&description).map_err(|error| error.to_string())?;
    let metadata = HashMap::from([(KEY.to_string(), description)]);
    serialize(views, Some(metadata)).map_err(|error| error.to_string())
}

/// Reads what [`save_safetensors`] wrote.
///
/// # Errors
/// What the operating system said; a tensor that is missing or of another shape or type; those of [`Model::check`].
pub fn open_safetensors(path: impl AsRef<Path>) -> Result<ModelFile, Error> {
    read(path.as_ref(), |file, metadata| {
        let description =
            metadata.get(KEY).ok_or("its metadata have no 'eqflow': it is not a model of this library")?;
        let description: Description =
            serde_json::from_str(description).map_err(|error| format!("metadata: {error}"))?;
        let required = |name: &str| tensor(file, name)?.ok_or(format!("there is no tensor '{name}'"));
        let weights = required("weights")?;
        let [l, m] = weights.shape[..] else {
            return Err(format!("weights have shape {:?}, not [L, M]", weights.shape));
        };
        Ok(Arrays {
            basis: if description.normalized { Basis::Normalized } else { Basis::Gaussian },
            shape: Shape { particles: description.particles, dimension: description.dimension },
            eps: description.eps,
            weights: weights.values,
            bias: tensor(file, "bias")?.map(|t| t.of_shape(&[l])).transpose()?,
            importance: tensor(file, "importance")?.map(|t| t.of_shape(&[m])).transpose()?,
            mu: required("mu")?.of_shape(&[m])?,
            gamma: required("gamma")?.of_shape(&[m])?,
            mu_time: required("mu_time")?.of_shape(&[l])?,
            gamma_time: required("gamma_time")?.of_shape(&[l])?,
        })
    })
}

/// What a `KernelDynamics` state dictionary does not hold.
///
/// Means are plain attributes of that class, and bandwidths are unless they are optimised, so that they are missing from
/// its `state_dict()`; where the file has them (`_mus`, `_mus_time`, `_neg_log_gammas`, `_neg_log_gammas_time`), it wins.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelDynamics {
    /// N and D.
    pub shape: Shape,
    /// Means of the radial functions, `[M]`.
    pub mu: Vec<f64>,
    /// Their bandwidths, `[M]`.
    pub gamma: Vec<f64>,
    /// Means of the time functions, `[L]`.
    pub mu_time: Vec<f64>,
    /// Their bandwidths, `[L]`.
    pub gamma_time: Vec<f64>,
}

impl KernelDynamics {
    /// The functions of the library's double-well examples: 50 means from 0 to 8 with bandwidths 0.5, 10 times from 0 to 1
    /// with 0.3.
    pub fn double_well(shape: Shape) -> Self {
        let spread = |n: usize, end: f64| (0..n).map(|i| end * i as f64 / (n - 1) as f64).collect();
        KernelDynamics {
            shape,
            mu: spread(50, 8.0),
            gamma: vec![0.5; 50],
            mu_time: spread(10, 1.0),
            gamma_time: vec![0.3; 10],
        }
    }
}

/// Reads the state dictionary of a `KernelDynamics` module of the paper's authors' library (bgtorch, now bgflow), saved
/// as safetensors in single or double precision: `safetensors.torch.save_file(flow.state_dict(), path)`.
///
/// | theirs | shape | ours |
/// |---|---|---|
/// | `_weights` | `[M, L]` | W transposed |
/// | `_bias` | `[1, L]` | b |
/// | `_importance` | `[M]` | a |
/// | `_neg_log_gammas` | `[M]` | gamma = exp(-value) |
/// | `_neg_log_gammas_time` | `[L]` | gamma^t = exp(-value) |
///
/// Any prefix before `_weights` is allowed (`_dynamics.` of a flow) and must be the others' too; tensors of other modules
/// are passed over. The basis is [`Basis::Normalized`] with epsilon 1e-6, and the direction of time is the same: forward
/// carries the prior to the samples.
///
/// The velocity is the same function but for their distances, sqrt(|r|^2 + 1e-6): 5e-6 more at a distance of 0.1.
/// The log-densities are not everywhere: the derivative of their normalised functions divides by 1e-6 + S^2, S being the
/// sum of Gaussians, where that of the quotient has (1e-6 + S)^2. The fraction between the two, 1e-6 |1 - 2 S| / S^2, is
/// nothing within the means (S is about 5 for the double-well functions) and everything where S falls to 1e-3: beyond the
/// last mean, or between functions that training has made narrow. There the divergence that their training saw is not that
/// of their velocity. The imported flow has the exact one, so that its likelihoods are right and may differ from those
/// reported.
///
/// # Errors
/// What the operating system said; no tensor `_weights` or several; one that is missing, of another shape, or of another
/// type; functions of other numbers than the weights'; those of [`Model::check`].
pub fn open_kernel_dynamics(path: impl AsRef<Path>, known: &KernelDynamics) -> Result<ModelFile, Error> {
    read(path.as_ref(), |file, _| {
        let names = file.names();
        let mut found = names.iter().filter_map(|name| name.strip_suffix("_weights"));
        let prefix = found.next().ok_or("there is no tensor '_weights'")?;
        if let Some(other) = found.next() {
            return Err(format!("there are two modules: '{prefix}_weights' and '{other}_weights'"));
        }
        let optional = |name: &str| tensor(file, &format!("{prefix}{name}"));
        let required = |name: &str| optional(name)?.ok_or(format!("there is no tensor '{prefix}{name}'"));
        let weights = required("_weights")?;
        let [m, l] = weights.shape[..] else {
            return Err(format!("{prefix}_weights have shape {:?}, not [M, L]", weights.shape));
        };
        let or_known = |name: &str, known: &[f64], n: usize| match optional(name)? {
            Some(tensor) => tensor.of_shape(&[n]),
            None if known.len() == n => Ok(known.to_vec()),
            None => Err(format!(
                "there is no tensor '{prefix}{name}', and {} given values are not {n}",
                known.len()
            )),
        };
        let bandwidths = |name: &str, known: &[f64], n: usize| match optional(name)? {
            Some(tensor) => Ok(tensor.of_shape(&[n])?.into_iter().map(|v| libm::exp(-v)).collect()),
            None => or_known(name, known, n),
        };
        Ok(Arrays {
            basis: Basis::Normalized,
            shape: known.shape,
            eps: 1e-6,
            weights: (0..l * m).map(|i| weights.values[i % m * l + i / m]).collect(),
            bias: Some(required("_bias")?.of_shape(&[1, l])?),
            importance: Some(required("_importance")?.of_shape(&[m])?),
            mu: or_known("_mus", &known.mu, m)?,
            gamma: bandwidths("_neg_log_gammas", &known.gamma, m)?,
            mu_time: or_known("_mus_time", &known.mu_time, l)?,
            gamma_time: bandwidths("_neg_log_gammas_time", &known.gamma_time, l)?,
        })
    })
}

/// The owned arrays of a model.
struct Arrays {
    basis: Basis,
    shape: Shape,
    eps: f64,
    weights: Vec<f64>,
    bias: Option<Vec<f64>>,
    importance: Option<Vec<f64>>,
    mu: Vec<f64>,
    gamma: Vec<f64>,
    mu_time: Vec<f64>,
    gamma_time: Vec<f64>,
}

impl Arrays {
    fn model(&self) -> Model<'_> {
        Model {
            basis: self.basis,
            shape: self.shape,
            weights: Reals::Native(&self.weights),
            bias: self.bias.as_deref().map(Reals::Native),
            importance: self.importance.as_deref().map(Reals::Native),
            mu: Reals::Native(&self.mu),
            gamma: Reals::Native(&self.gamma),
            mu_time: Reals::Native(&self.mu_time),
            gamma_time: Reals::Native(&self.gamma_time),
            eps: self.eps,
        }
    }
}

/// Opens the file, lets `arrays` find the model in it, and checks that.
fn read(
    path: &Path,
    arrays: impl FnOnce(&SafeTensors<'_>, &HashMap<String, String>) -> Result<Arrays, String>,
) -> Result<ModelFile, Error> {
    let open = || {
        let bytes = std::fs::read(path)?;
        let fail = |error: ::safetensors::SafeTensorError| Cause::Format(error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(fail)?;
        let file = SafeTensors::deserialize(&bytes).map_err(fail)?;
        let metadata = metadata.metadata().clone().unwrap_or_default();
        let arrays = arrays(&file, &metadata).map_err(Cause::Format)?;
        Ok(ModelFile::from_model(&arrays.model())?)
    };
    open().map_err(|cause: Cause| Error::new("read model file", path, cause))
}

/// One tensor of reals.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Tensor {
    fn of_shape(self, shape: &[usize]) -> Result<Vec<f64>, String> {
        if self.shape == shape {
            return Ok(self.values);
        }
        Err(format!("'{}' has shape {:?}, not {shape:?}", self.name, self.shape))
    }
}

fn tensor(file: &SafeTensors<'_>, name: &str) -> Result<Option<Tensor>, String> {
    let Ok(view) = file.tensor(name) else { return Ok(None) };
    let values = match view.dtype() {
        Dtype::F64 => view.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        Dtype::F32 => {
            view.data().as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
        }
        other => return Err(format!("'{name}' has type {other:?}, not F32 or F64")),
    };
    Ok(Some(Tensor { name: name.into(), shape: view.shape().to_vec(), values }))
}
