//! Checks of the caller's pointers, before any of them becomes a slice.

use crate::error::{Argument, Error, Status};

/// A stretch of the caller's memory that a call reads or writes.
#[derive(Clone, Copy)]
pub(super) struct Region {
    argument: Argument,
    start: usize,
    bytes: usize,
    written: bool,
}

impl Region {
    /// Overlaps nothing.
    pub(super) const NONE: Region =
        Region { argument: Argument::Unnamed, start: 0, bytes: 0, written: false };

    /// Memory that is read; not checked any further.
    pub(super) fn read(argument: Argument, start: usize, bytes: usize) -> Self {
        Region { argument, start, bytes, written: false }
    }

    fn touches(&self, other: &Region) -> bool {
        self.bytes > 0
            && other.bytes > 0
            && self.start < other.start.saturating_add(other.bytes)
            && other.start < self.start.saturating_add(self.bytes)
    }
}

/// Fails on the first region that overlaps an earlier one where either is written.
pub(super) fn check_disjoint(regions: &[Region]) -> Result<(), Error> {
    for (i, region) in regions.iter().enumerate() {
        for earlier in regions.iter().take(i) {
            if (region.written || earlier.written) && region.touches(earlier) {
                return Err(Error::new(Status::Overlap, region.argument, 0.0));
            }
        }
    }
    Ok(())
}

/// Fails where `pointer` is NULL or misaligned for `T` or `length` elements cannot exist; a length of zero
/// takes any pointer. Returns the bytes.
fn check_array<T>(argument: Argument, pointer: *const T, length: usize) -> Result<usize, Error> {
    if length == 0 {
        return Ok(0);
    }
    check_pointer(argument, pointer)?;
    let bytes = length.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= isize::MAX as usize);
    bytes.filter(|&bytes| pointer.addr().checked_add(bytes).is_some()).ok_or(Error::new(
        Status::Shape,
        argument,
        length as f64,
    ))
}

/// Fails where `pointer` is NULL or misaligned.
pub(super) fn check_pointer<T>(argument: Argument, pointer: *const T) -> Result<(), Error> {
    if pointer.is_null() {
        return Err(Error::new(Status::Null, argument, 0.0));
    }
    if !pointer.is_aligned() {
        return Err(Error::new(Status::Alignment, argument, align_of::<T>() as f64));
    }
    Ok(())
}

/// An array that the call reads.
#[derive(Clone, Copy)]
pub(super) struct Input<T> {
    pointer: *const T,
    length: usize,
    pub(super) region: Region,
}

impl<T> Input<T> {
    /// Checks everything but what only the caller can know: that the memory is there.
    pub(super) fn new(argument: Argument, pointer: *const T, length: usize) -> Result<Self, Error> {
        let bytes = check_array(argument, pointer, length)?;
        Ok(Input { pointer, length, region: Region::read(argument, pointer.addr(), bytes) })
    }

    /// The array.
    ///
    /// # Safety
    /// The caller's memory holds as many elements as were claimed, and nothing writes them during `'a`.
    pub(super) unsafe fn slice<'a>(self) -> &'a [T] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: not NULL, aligned and of a possible size (`new`); present and constant by this contract.
        unsafe { core::slice::from_raw_parts(self.pointer, self.length) }
    }
}

/// An array that the call writes.
#[derive(Clone, Copy)]
pub(super) struct Output<T> {
    pointer: *mut T,
    length: usize,
    pub(super) region: Region,
}

impl<T> Output<T> {
    /// As [`Input::new`].
    pub(super) fn new(argument: Argument, pointer: *mut T, length: usize) -> Result<Self, Error> {
        let bytes = check_array(argument, pointer, length)?;
        let region = Region { written: true, ..Region::read(argument, pointer.addr(), bytes) };
        Ok(Output { pointer, length, region })
    }

    /// `None` for NULL.
    pub(super) fn optional(
        argument: Argument,
        pointer: *mut T,
        length: usize,
    ) -> Result<Option<Self>, Error> {
        if pointer.is_null() { Ok(None) } else { Output::new(argument, pointer, length).map(Some) }
    }

    /// The array.
    ///
    /// # Safety
    /// The caller's memory holds as many elements as were claimed, nothing else touches them during `'a`, and
    /// every bit pattern is a `T`: the memory counts as initialised, since C wrote or allocated it.
    pub(super) unsafe fn slice<'a>(self) -> &'a mut [T] {
        if self.length == 0 {
            return &mut [];
        }
        // SAFETY: not NULL, aligned and of a possible size (`new`); present and exclusive by this contract.
        unsafe { core::slice::from_raw_parts_mut(self.pointer, self.length) }
    }

    /// Writes the one element of a scalar output.
    ///
    /// # Safety
    /// As [`Output::slice`]; what was there need not be a `T`.
    pub(super) unsafe fn write(self, value: T) {
        // SAFETY: not NULL and aligned (`new`); writable by this contract.
        unsafe { self.pointer.write(value) }
    }
}

/// The region of an optional output.
pub(super) fn region_of<T>(output: &Option<Output<T>>) -> Region {
    output.as_ref().map_or(Region::NONE, |output| output.region)
}

/// The product of sizes, or [`Status::Shape`] on the sample count.
pub(super) fn product(n: usize, factors: &[usize]) -> Result<usize, Error> {
    let product = factors.iter().try_fold(n, |product, &factor| product.checked_mul(factor));
    product.ok_or(Error::new(Status::Shape, Argument::Count, n as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_written_regions_conflict() {
        let at = |start, bytes, written| Region { argument: Argument::X, start, bytes, written };
        assert!(check_disjoint(&[at(8, 8, false), at(8, 8, false)]).is_ok());
        assert!(check_disjoint(&[at(8, 8, false), at(16, 8, true)]).is_ok());
        assert!(check_disjoint(&[at(8, 9, false), at(16, 8, true)]).is_err());
        assert!(check_disjoint(&[at(8, 9, true), at(16, 8, false)]).is_err());
        assert!(check_disjoint(&[at(8, 9, true), at(16, 0, true)]).is_ok());
    }

    #[test]
    fn arrays_that_cannot_exist_are_refused() {
        let real = 1.0;
        let status = |length| Input::new(Argument::X, &real, length).err().map(|e| e.status);
        assert_eq!(status(1), None);
        assert_eq!(status(usize::MAX), Some(Status::Shape));
        assert_eq!(status(usize::MAX / 8), Some(Status::Shape));
        assert!(Input::new(Argument::X, core::ptr::null::<f64>(), 0).is_ok());
    }
}
