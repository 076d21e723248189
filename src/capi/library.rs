//! What this library is: version, features.

use core::ffi::c_char;

/// Version of this header: 1000000 major + 1000 minor + patch; compare with eqf_version_number().
pub const EQF_VERSION_NUMBER: u32 = 1000;
/// Version of the binary interface of this header; compare with eqf_abi().
pub const EQF_ABI: u32 = 1;

const FEATURES: &[&[u8]] = &[
    b"f64\0",
    b"f32\0",
    b"rk4\0",
    b"dopri5\0",
    b"log_det_trace\0",
    b"log_det_jacobian\0",
    b"inverse_exact\0",
    b"log_prob_gradient\0",
    b"model_file_1\0",
    b"metropolis\0",
    b"independence\0",
    b"hmc\0",
    b"latent\0",
    b"exchange\0",
    #[cfg(not(eqf_baseline))]
    b"isa\0",
    #[cfg(feature = "parallel")]
    b"threads\0",
];

/// Version of the library: 1000000 major + 1000 minor + patch.
///
/// NULL: no pointers.
/// Errors: none.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_version_number() >= EQF_VERSION_NUMBER);
/// ```
#[unsafe(no_mangle)]
pub extern "C" fn eqf_version_number() -> u32 {
    EQF_VERSION_NUMBER
}

/// Version of the library as a static string, "major.minor.patch".
///
/// NULL: no pointers.
/// Errors: none.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// printf("eqflow %s\n", eqf_version_string());
/// ```
#[unsafe(no_mangle)]
pub extern "C" fn eqf_version_string() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Version of the binary interface: a program works with every library whose number is that of its header.
///
/// NULL: no pointers.
/// Errors: none.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_abi() == EQF_ABI);
/// ```
#[unsafe(no_mangle)]
pub extern "C" fn eqf_abi() -> u32 {
    EQF_ABI
}

/// 1 where the library has the named feature, else 0 (also for NULL and for names it has never heard of).
///
/// `name` is a terminated string: "f64", "f32" (precisions), "rk4", "dopri5" (integrators), "log_det_trace",
/// "log_det_jacobian" (log-determinants), "inverse_exact", "log_prob_gradient" (eqf_log_prob() with a gradient),
/// "model_file_1" (model files of version 1), "metropolis", "independence", "hmc", "latent", "exchange" (Markov chains),
/// "threads" (more than one in eqf_forward_threads() and its like), "isa" (a plan chooses among instruction sets: without
/// it there is the target's own alone).
///
/// NULL: name.
/// Errors: none.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// size_t threads = eqf_has_feature("threads") ? 4 : 1;
/// assert(threads >= 1);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_has_feature(name: *const c_char) -> i32 {
    if name.is_null() {
        return 0;
    }
    // SAFETY: a terminated string by contract.
    let known = FEATURES.iter().any(|feature| unsafe { same_text(name, feature) });
    i32::from(known)
}

/// Whether a terminated string equals a terminated literal.
///
/// # Safety
/// `text` is a terminated string.
unsafe fn same_text(text: *const c_char, literal: &[u8]) -> bool {
    let same = |(i, &byte): (usize, &u8)| {
        // SAFETY: `all` stops at the first difference, so every byte before this one was equal and none of them
        // the terminating zero: this one still belongs to the string.
        let read = unsafe { text.add(i).cast::<u8>().read() };
        read == byte
    };
    literal.iter().enumerate().all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_number_is_the_packages() {
        let mut parts = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse::<u32>().unwrap());
        let mut next = || parts.next().unwrap();
        assert_eq!(eqf_version_number(), 1_000_000 * next() + 1000 * next() + next());
    }

    #[test]
    fn features_are_compared_to_their_ends() {
        let has = |name: &core::ffi::CStr| {
            // SAFETY: terminated.
            unsafe { eqf_has_feature(name.as_ptr()) }
        };
        assert_eq!([c"rk4", c"dopri5", c"f32", c"rk", c"rk45", c""].map(has), [1, 1, 1, 0, 0, 0]);
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { eqf_has_feature(core::ptr::null()) }, 0);
    }
}
