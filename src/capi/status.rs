//! Status codes, their names, and the report of an error.

use super::memory::{Output, Region, region_of};
use crate::error::{Argument, Error, Status};
use core::ffi::c_char;

/// Success.
pub const EQF_OK: i32 = 0;
/// A required pointer is NULL.
pub const EQF_ERROR_NULL: i32 = 1;
/// An argument lies outside its documented range.
pub const EQF_ERROR_ARGUMENT: i32 = 2;
/// Array lengths or sizes do not fit together, or overflow.
pub const EQF_ERROR_SHAPE: i32 = 3;
/// Memory is not aligned as its type or extent demands.
pub const EQF_ERROR_ALIGNMENT: i32 = 4;
/// Plan memory, workspace or buffer is smaller than the extent demands.
pub const EQF_ERROR_WORKSPACE: i32 = 5;
/// A model or model file is damaged or inconsistent.
pub const EQF_ERROR_MODEL: i32 = 6;
/// An input is NaN or infinite.
pub const EQF_ERROR_NON_FINITE: i32 = 7;
/// The library does not offer this combination.
pub const EQF_ERROR_UNSUPPORTED: i32 = 8;
/// A structure comes from an incompatible version of this header, or was not initialised.
pub const EQF_ERROR_ABI: i32 = 9;
/// An output overlaps an input, another output or the workspace.
pub const EQF_ERROR_OVERLAP: i32 = 10;
/// An iteration reached its step limit before its tolerance.
pub const EQF_ERROR_CONVERGENCE: i32 = 11;
/// A function that the caller passed has returned a status of its own (diag's value).
pub const EQF_ERROR_CALLBACK: i32 = 12;
/// A defect of the library.
pub const EQF_ERROR_INTERNAL: i32 = 255;

/// What went wrong, in detail. Functions write it only when they fail; every pointer to one may be NULL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct eqf_diag {
    /// Number of the argument, or field of one, at fault; eqf_argument_string() names it.
    pub argument: i32,
    /// Position in the argument (an element of an array, or a sample), 0 where it has no meaning.
    pub index: usize,
    /// The offending value, or the value that was demanded of a size; 0 where it has no meaning.
    pub value: f64,
}

const LONGEST: usize = 48;

/// A text with its terminating zero, padded with more of them.
type Text = [u8; LONGEST];

const fn terminated(text: &str) -> Text {
    let bytes = text.as_bytes();
    assert!(bytes.len() < LONGEST, "the last byte must be zero"); // evaluated at compile time only
    let mut padded = [0; LONGEST];
    let mut i = 0;
    while i < bytes.len() {
        padded[i] = bytes[i];
        i += 1;
    }
    padded
}

const STATUSES: [Status; 13] = [
    Status::Null,
    Status::Argument,
    Status::Shape,
    Status::Alignment,
    Status::Workspace,
    Status::Model,
    Status::NonFinite,
    Status::Unsupported,
    Status::Abi,
    Status::Overlap,
    Status::Convergence,
    Status::Callback,
    Status::Internal,
];

static STATUS_TEXTS: [Text; STATUSES.len()] = {
    let mut texts = [[0; LONGEST]; STATUSES.len()];
    let mut i = 0;
    while i < texts.len() {
        texts[i] = terminated(STATUSES[i].as_str());
        i += 1;
    }
    texts
};

static ARGUMENT_TEXTS: [Text; Argument::ALL.len()] = {
    let mut texts = [[0; LONGEST]; Argument::ALL.len()];
    let mut i = 0;
    while i < texts.len() {
        texts[i] = terminated(Argument::ALL[i].as_str());
        i += 1;
    }
    texts
};

/// What a status code means: a static English sentence without a full stop, never NULL; "unknown status" for unknown
/// codes.
///
/// NULL: no pointers.
/// Errors: none.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// int32_t status = eqf_forward(plan, n, NULL, x, log_det, work, work_len, NULL);
/// assert(strcmp(eqf_status_string(status), "a required pointer is NULL") == 0);
/// ```
#[unsafe(no_mangle)]
pub extern "C" fn eqf_status_string(status: i32) -> *const c_char {
    if status == EQF_OK {
        return c"success".as_ptr();
    }
    let known = STATUSES.iter().position(|&s| s as i32 == status).and_then(|i| STATUS_TEXTS.get(i));
    known.map_or(c"unknown status".as_ptr(), |text| text.as_ptr().cast())
}

/// Name of the argument, or field of one, with the number that eqf_diag carries, as the documentation spells it: a
/// static string, never NULL; "unknown argument" for unknown numbers.
///
/// NULL: no pointers.
/// Errors: none.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_forward(plan, n, NULL, x, log_det, work, work_len, &diag) == EQF_ERROR_NULL);
/// assert(strcmp(eqf_argument_string(diag.argument), "z") == 0);
/// ```
#[unsafe(no_mangle)]
pub extern "C" fn eqf_argument_string(argument: i32) -> *const c_char {
    let known = Argument::ALL.iter().position(|&a| a as i32 == argument).and_then(|i| ARGUMENT_TEXTS.get(i));
    known.map_or(c"unknown argument".as_ptr(), |text| text.as_ptr().cast())
}

/// The diagnosis that a call may write; it counts as one of its outputs.
#[derive(Clone, Copy)]
pub(super) struct Diag(Option<Output<eqf_diag>>);

impl Diag {
    pub(super) fn region(&self) -> Region {
        region_of(&self.0)
    }
}

/// Runs a call and turns its result into a status and, on failure, a diagnosis.
///
/// # Safety
/// `diag` is NULL or points to writable memory.
pub(super) unsafe fn report(diag: *mut eqf_diag, call: impl FnOnce(Diag) -> Result<(), Error>) -> i32 {
    let diag = match Output::optional(Argument::Diag, diag, 1) {
        Ok(diag) => Diag(diag),
        Err(error) => return error.status as i32,
    };
    let Err(error) = call(diag) else { return EQF_OK };
    // A diagnosis that overlaps an output must not be written.
    if let Some(output) = diag.0
        && error.argument != Argument::Diag
    {
        let Error { argument, index, value, .. } = error;
        // SAFETY: writable by contract.
        unsafe { output.write(eqf_diag { argument: argument as i32, index, value }) };
    }
    error.status as i32
}

/// The status of a call that has no diagnosis.
pub(super) fn status_of(result: Result<(), Error>) -> i32 {
    result.map_or_else(|error| error.status as i32, |()| EQF_OK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ffi::CStr;

    #[test]
    fn codes_and_texts_are_those_of_the_core() {
        let codes = [
            EQF_ERROR_NULL,
            EQF_ERROR_ARGUMENT,
            EQF_ERROR_SHAPE,
            EQF_ERROR_ALIGNMENT,
            EQF_ERROR_WORKSPACE,
            EQF_ERROR_MODEL,
            EQF_ERROR_NON_FINITE,
            EQF_ERROR_UNSUPPORTED,
            EQF_ERROR_ABI,
            EQF_ERROR_OVERLAP,
            EQF_ERROR_CONVERGENCE,
            EQF_ERROR_CALLBACK,
            EQF_ERROR_INTERNAL,
        ];
        for (status, code) in STATUSES.into_iter().zip(codes) {
            assert_eq!(status as i32, code);
            // SAFETY: static and terminated.
            let text = unsafe { CStr::from_ptr(eqf_status_string(code)) };
            assert_eq!(text.to_str(), Ok(status.as_str()));
        }
        for &argument in Argument::ALL {
            // SAFETY: static and terminated.
            let text = unsafe { CStr::from_ptr(eqf_argument_string(argument as i32)) };
            assert_eq!(text.to_str(), Ok(argument.as_str()));
        }
    }
}
