//! Structures that begin with their own size, so that headers and libraries of different ages can meet.
//!
//! A caller's structure may be shorter than the library's (compiled with an older header: the missing fields have
//! their initial values) or longer (a newer header: what the library does not know must be zero).

use super::memory::{Region, check_pointer};
use crate::error::{Argument, Error, Status};

/// No structure grows beyond this; a size above it is an uninitialised one.
const LARGEST: usize = 4096;

/// A `repr(C)` structure whose first field is `uint32_t struct_size`.
///
/// # Safety
/// That is so, and every bit pattern is a valid value.
pub(super) unsafe trait Versioned: Copy {
    /// How errors name a structure whose reserved space is in use.
    const NAME: Argument;
    /// Size without the reserved space at the end.
    const MINIMUM: usize;

    /// What the init function fills in.
    fn initial(struct_size: u32) -> Self;
    /// Whether all reserved space is zero.
    fn reserved_is_zero(&self) -> bool;
}

fn check_size<T: Versioned>(size: usize) -> Result<(), Error> {
    if size < T::MINIMUM || size > LARGEST {
        return Err(Error::new(Status::Abi, Argument::StructSize, size as f64));
    }
    Ok(())
}

/// Fills the caller's structure, which has `size` bytes.
///
/// # Safety
/// `target` is NULL or has `size` writable bytes.
pub(super) unsafe fn initialize<T: Versioned>(target: *mut T, size: usize) -> Result<(), Error> {
    check_pointer(T::NAME, target)?;
    check_size::<T>(size)?;
    // SAFETY: `size` bytes are writable by contract, and zero is written to no more than those.
    unsafe { target.cast::<u8>().write_bytes(0, size) };
    // SAFETY: as above; `write` stops at `size`.
    unsafe { write(target, size, &T::initial(size as u32)) };
    Ok(())
}

/// Copies as much of `value` as the caller's structure of `size` bytes holds.
///
/// # Safety
/// `target` has `size` writable bytes.
pub(super) unsafe fn write<T: Versioned>(target: *mut T, size: usize, value: &T) {
    let source = core::ptr::from_ref(value).cast::<u8>();
    // SAFETY: no more than either side has; a local value and the caller's memory do not overlap.
    unsafe { source.copy_to_nonoverlapping(target.cast::<u8>(), size.min(size_of::<T>())) }
}

/// The caller's structure as this library knows it, its size and its region.
///
/// # Safety
/// `source` is NULL or points to a structure whose `struct_size` bytes are readable.
pub(super) unsafe fn read<T: Versioned>(source: *const T) -> Result<(T, usize, Region), Error> {
    check_pointer(T::NAME, source)?;
    // SAFETY: not NULL, aligned; `Versioned` promises that the first field is this one.
    let size = unsafe { source.cast::<u32>().read() } as usize;
    check_size::<T>(size)?;
    let mut value = T::initial(size as u32);
    let known = size.min(size_of::<T>());
    // SAFETY: `known` bytes fit into both; any bits are a valid `T`.
    unsafe { source.cast::<u8>().copy_to_nonoverlapping((&raw mut value).cast::<u8>(), known) };
    // SAFETY: the structure has `size` readable bytes by contract, of which these are the last.
    let beyond = unsafe { core::slice::from_raw_parts(source.cast::<u8>().add(known), size - known) };
    if !value.reserved_is_zero() || beyond.iter().any(|&byte| byte != 0) {
        return Err(Error::new(Status::Abi, T::NAME, 0.0));
    }
    Ok((value, size, Region::read(T::NAME, source.addr(), size)))
}
