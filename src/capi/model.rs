//! The model: the caller's arrays, or a model file's bytes.

use super::memory::{Input, Output, Region, check_disjoint};
use super::status::{Diag, eqf_diag, report, status_of};
use super::versioned::{self, Versioned};
use crate::error::{Argument, Error, Status};
use crate::field::Shape;
use crate::flow::{Model, Reals, read_model, write_model, written_length};
use crate::radial::Basis;
use core::mem::offset_of;
use core::ptr::null;

/// Plain Gaussians in distance and time (the paper's equation 1).
pub const EQF_BASIS_GAUSSIAN: i32 = 0;
/// Gaussians divided by eps plus their sum (what the paper's experiments ran).
pub const EQF_BASIS_NORMALIZED: i32 = 1;

/// The arrays of a model are native, aligned doubles.
pub const EQF_ENCODING_NATIVE: i32 = 0;
/// The arrays of a model are little-endian doubles at any alignment: hand the model on, but do not dereference.
pub const EQF_ENCODING_LITTLE_ENDIAN: i32 = 1;

/// The parameters of an equivariant kernel flow for N particles in D dimensions with M radial functions and L
/// time functions (arXiv:2006.02425), for both precisions:
///
/// - v_i(x,t) = sum over j != i of phi(d_ij, t) (x_i - x_j),   d_ij = |x_i - x_j|
/// - phi(d,t) = sum_l R_l(t) [ b_l + sum_m W_lm (K_m(d) + a_m^2) ]
/// - g_m(d)   = exp(-((d - mu_m)/gamma_m)^2),   h_l(t) = exp(-((t - mu_time_l)/gamma_time_l)^2)
///
/// EQF_BASIS_GAUSSIAN: K = g, R = h. EQF_BASIS_NORMALIZED: K_m = g_m / (eps + sum_k g_k),
/// R_l = h_l / (eps + sum_k h_k). Lengths are in the unit of the configurations; t runs from 0 to 1.
///
/// Fill with eqf_model_init(), then set the fields or call eqf_model_read(). The arrays stay the caller's:
/// eqf_plan_init() copies what it needs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct eqf_model {
    /// Size of this structure in bytes; eqf_model_init() sets it.
    pub struct_size: u32,
    /// EQF_BASIS_GAUSSIAN or EQF_BASIS_NORMALIZED.
    pub basis: i32,
    /// N, 1 to 4096.
    pub n_particles: usize,
    /// D, 1 to 3.
    pub dimension: usize,
    /// M, 1 to 4096.
    pub n_radial: usize,
    /// L, 1 to 4096.
    pub n_time: usize,
    /// W, [L][M].
    pub weights: *const f64,
    /// b, [L], or NULL for zeros.
    pub bias: *const f64,
    /// a, [M], or NULL for zeros.
    pub importance: *const f64,
    /// mu, [M].
    pub mu: *const f64,
    /// gamma > 0, [M].
    pub gamma: *const f64,
    /// mu_time, [L].
    pub mu_time: *const f64,
    /// gamma_time > 0, [L].
    pub gamma_time: *const f64,
    /// The normalisation's regulariser, at least 0; 1e-6 after eqf_model_init().
    pub eps: f64,
    /// EQF_ENCODING_NATIVE or EQF_ENCODING_LITTLE_ENDIAN.
    pub encoding: i32,
    /// Zero.
    pub reserved: [u32; 15],
}

// SAFETY: the first field is `struct_size`, and every field takes any bits (raw pointers included).
unsafe impl Versioned for eqf_model {
    const NAME: Argument = Argument::Model;
    const MINIMUM: usize = offset_of!(eqf_model, reserved);

    fn initial(struct_size: u32) -> Self {
        eqf_model {
            struct_size,
            basis: EQF_BASIS_GAUSSIAN,
            n_particles: 0,
            dimension: 0,
            n_radial: 0,
            n_time: 0,
            weights: null(),
            bias: null(),
            importance: null(),
            mu: null(),
            gamma: null(),
            mu_time: null(),
            gamma_time: null(),
            eps: 1e-6,
            encoding: EQF_ENCODING_NATIVE,
            reserved: [0; 15],
        }
    }

    fn reserved_is_zero(&self) -> bool {
        self.reserved == [0; 15]
    }
}

impl eqf_model {
    fn set(&mut self, model: &Model<'_>) {
        let (native, [weights, mu, gamma, mu_time, gamma_time]) =
            addresses([model.weights, model.mu, model.gamma, model.mu_time, model.gamma_time]);
        self.basis = match model.basis {
            Basis::Gaussian => EQF_BASIS_GAUSSIAN,
            Basis::Normalized => EQF_BASIS_NORMALIZED,
        };
        self.n_particles = model.shape.particles;
        self.dimension = model.shape.dimension;
        self.n_radial = model.n_radial();
        self.n_time = model.n_time();
        self.weights = weights;
        self.bias = model.bias.map_or(null(), |bias| address(&bias));
        self.importance = model.importance.map_or(null(), |importance| address(&importance));
        self.mu = mu;
        self.gamma = gamma;
        self.mu_time = mu_time;
        self.gamma_time = gamma_time;
        self.eps = model.eps;
        self.encoding = if native { EQF_ENCODING_NATIVE } else { EQF_ENCODING_LITTLE_ENDIAN };
    }
}

/// Where the arrays lie, and whether C may read them as doubles there.
fn addresses<const K: usize>(arrays: [Reals<'_>; K]) -> (bool, [*const f64; K]) {
    let pointers = arrays.map(|array| address(&array));
    let little = arrays.iter().any(|array| matches!(array, Reals::LittleEndian(_)));
    let readable = !little || (cfg!(target_endian = "little") && pointers.iter().all(|p| p.is_aligned()));
    (readable, pointers)
}

fn address(array: &Reals<'_>) -> *const f64 {
    match array {
        Reals::Native(values) => values.as_ptr(),
        Reals::LittleEndian(bytes) => bytes.as_ptr().cast(),
    }
}

/// A checked model and every region of memory that it reads: structure and seven arrays.
pub(super) struct Borrowed<'a> {
    pub(super) model: Model<'a>,
    pub(super) regions: [Region; 8],
}

/// Borrows the arrays of the caller's model.
///
/// # Safety
/// `model` is NULL or a structure with a true `struct_size`, whose arrays have the lengths that it claims; nothing
/// changes them during `'a`.
pub(super) unsafe fn borrow<'a>(model: *const eqf_model) -> Result<Borrowed<'a>, Error> {
    // SAFETY: by this contract.
    let (given, _, region) = unsafe { versioned::read(model)? };
    let basis = match given.basis {
        EQF_BASIS_GAUSSIAN => Basis::Gaussian,
        EQF_BASIS_NORMALIZED => Basis::Normalized,
        other => return Err(Error::new(Status::Argument, Argument::Basis, f64::from(other))),
    };
    let little_endian = match given.encoding {
        EQF_ENCODING_NATIVE => false,
        EQF_ENCODING_LITTLE_ENDIAN => true,
        other => return Err(Error::new(Status::Argument, Argument::Encoding, f64::from(other))),
    };
    let (m, l) = (given.n_radial, given.n_time);
    for (argument, count) in [(Argument::NRadial, m), (Argument::NTime, l)] {
        if count == 0 || count > Model::MAX_COUNT {
            return Err(Error::new(Status::Shape, argument, count as f64));
        }
    }
    let weights = l.checked_mul(m).ok_or(Error::new(Status::Shape, Argument::Weights, 0.0))?;
    let mut regions = [region; 8];
    let mut slots = regions.iter_mut().skip(1);
    let mut array = |argument, pointer, length| {
        // SAFETY: the array has the claimed length by this contract.
        let (reals, region) = unsafe { reals(argument, pointer, length, little_endian)? };
        if let Some(slot) = slots.next() {
            *slot = region;
        }
        Ok::<_, Error>(reals)
    };
    let model = Model {
        basis,
        shape: Shape { particles: given.n_particles, dimension: given.dimension },
        weights: array(Argument::Weights, given.weights, weights)?,
        bias: optional(given.bias, |pointer| array(Argument::Bias, pointer, l))?,
        importance: optional(given.importance, |pointer| array(Argument::Importance, pointer, m))?,
        mu: array(Argument::Mu, given.mu, m)?,
        gamma: array(Argument::Gamma, given.gamma, m)?,
        mu_time: array(Argument::MuTime, given.mu_time, l)?,
        gamma_time: array(Argument::GammaTime, given.gamma_time, l)?,
        eps: given.eps,
    };
    model.check()?;
    Ok(Borrowed { model, regions })
}

fn optional<'a>(
    pointer: *const f64,
    array: impl FnOnce(*const f64) -> Result<Reals<'a>, Error>,
) -> Result<Option<Reals<'a>>, Error> {
    if pointer.is_null() { Ok(None) } else { array(pointer).map(Some) }
}

/// # Safety
/// `pointer` is NULL or has `length` doubles in the encoding, which nothing changes during `'a`.
unsafe fn reals<'a>(
    argument: Argument,
    pointer: *const f64,
    length: usize,
    little_endian: bool,
) -> Result<(Reals<'a>, Region), Error> {
    if little_endian {
        let bytes = length.checked_mul(8).ok_or(Error::new(Status::Shape, argument, length as f64))?;
        let input = Input::new(argument, pointer.cast::<u8>(), bytes)?;
        // SAFETY: by this contract.
        return Ok((Reals::LittleEndian(unsafe { input.slice() }), input.region));
    }
    let input = Input::new(argument, pointer, length)?;
    // SAFETY: by this contract.
    Ok((Reals::Native(unsafe { input.slice() }), input.region))
}

/// Fills a model's structure: no arrays, EQF_BASIS_GAUSSIAN, eps 1e-6, EQF_ENCODING_NATIVE. It writes exactly `size`
/// bytes.
///
/// NULL: nothing.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT, EQF_ERROR_ABI for an impossible size.
/// Threads: any thread may call it on a structure of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_model_init(&model, sizeof model) == EQF_OK);
/// assert(model.eps == 1e-6);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_model_init(model: *mut eqf_model, size: usize) -> i32 {
    // SAFETY: `size` bytes by the documented contract.
    status_of(unsafe { versioned::initialize(model, size) })
}

/// Reads a model file of `len` bytes in place: the arrays of `model` (which eqf_model_init() has filled before) point
/// into `bytes`, which must outlive their use.
///
/// Where `bytes` is not aligned for doubles, or the machine is big-endian, `encoding` becomes
/// EQF_ENCODING_LITTLE_ENDIAN: eqf_plan_init() and eqf_model_write() take such a model, but its arrays must not be
/// dereferenced.
///
/// NULL: diag.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT, EQF_ERROR_ABI, EQF_ERROR_OVERLAP; EQF_ERROR_MODEL where the file is
/// truncated, corrupt or inconsistent (diag names magic number, version, length, checksum, flags or the parameter),
/// EQF_ERROR_SHAPE for sizes out of range, EQF_ERROR_NON_FINITE for a parameter. `model` is untouched then.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// eqf_model_init(&model, sizeof model);
/// assert(eqf_model_read(bytes, length, &model, &diag) == EQF_OK);
/// assert(model.n_particles == 4 && model.dimension == 2);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_model_read(
    bytes: *const u8,
    len: usize,
    model: *mut eqf_model,
    diag: *mut eqf_diag,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| read(bytes, len, model, diag)) }
}

/// # Safety
/// That of [`eqf_model_read`].
unsafe fn read(bytes: *const u8, len: usize, model: *mut eqf_model, diag: Diag) -> Result<(), Error> {
    if bytes.is_null() {
        return Err(Error::new(Status::Null, Argument::Bytes, 0.0));
    }
    let bytes = Input::new(Argument::Bytes, bytes, len)?;
    // SAFETY: by contract.
    let (mut value, size, _) = unsafe { versioned::read(model.cast_const())? };
    let target = Output::new(Argument::Model, model.cast::<u8>(), size)?;
    check_disjoint(&[bytes.region, target.region, diag.region()])?;
    // SAFETY: by contract.
    value.set(&read_model(unsafe { bytes.slice() })?);
    // SAFETY: `size` bytes by contract.
    unsafe { versioned::write(model, size, &value) };
    Ok(())
}

/// Writes `model` as a model file (version 1, little-endian, with a checksum) to `bytes`, which has `len`.
///
/// Where `needed` is not NULL the file's length is stored there, also when `bytes` is NULL, which is how to ask for
/// it.
///
/// NULL: needed, diag; bytes where `len` is 0 and `needed` is not NULL.
/// Errors: those of eqf_plan_extent() for the model; EQF_ERROR_NULL where both outputs are NULL, EQF_ERROR_WORKSPACE
/// where `len` is too short (diag's value is the length), EQF_ERROR_ALIGNMENT, EQF_ERROR_OVERLAP.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// size_t needed;
/// assert(eqf_model_write(&model, NULL, 0, &needed, &diag) == EQF_OK);
/// assert(needed <= sizeof file);
/// assert(eqf_model_write(&model, file, sizeof file, NULL, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_model_write(
    model: *const eqf_model,
    bytes: *mut u8,
    len: usize,
    needed: *mut usize,
    diag: *mut eqf_diag,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| write(model, bytes, len, needed, diag)) }
}

/// # Safety
/// That of [`eqf_model_write`].
unsafe fn write(
    model: *const eqf_model,
    bytes: *mut u8,
    len: usize,
    needed: *mut usize,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let Borrowed { model, regions } = unsafe { borrow(model)? };
    let length = written_length(&model);
    let needed = Output::optional(Argument::Needed, needed, 1)?;
    if bytes.is_null() && (needed.is_none() || len > 0) {
        return Err(Error::new(Status::Null, Argument::Bytes, length as f64));
    }
    if !bytes.is_null() && len < length {
        return Err(Error::new(Status::Workspace, Argument::Bytes, length as f64));
    }
    let target = Output::new(Argument::Bytes, bytes, if bytes.is_null() { 0 } else { length })?;
    let [a, b, c, d, e, f, g, h] = regions;
    let outputs = [target.region, super::memory::region_of(&needed), diag.region()];
    check_disjoint(&[a, b, c, d, e, f, g, h, outputs[0], outputs[1], outputs[2]])?;
    if !bytes.is_null() {
        // SAFETY: `length` bytes of the caller's `len`; disjoint from everything that is read.
        write_model(&model, unsafe { target.slice() })?;
    }
    if let Some(needed) = needed {
        // SAFETY: writable by contract.
        unsafe { needed.write(length) };
    }
    Ok(())
}
