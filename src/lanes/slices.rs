//! Parts of slices that are there by construction, or else [`Missing`] where indexing would panic: nothing may stop the
//! program of a C caller, and no number may be made of less than all of its terms.

use super::Lanes;
use crate::error::Missing;

/// What the layers with `std`, which may panic, expect instead of [`Missing`].
#[cfg(feature = "std")]
pub const COMPLETE: &str = "memory is complete by construction";

/// The `length` elements from number `start` on.
#[inline(always)]
pub fn part<T>(values: &[T], start: usize, length: usize) -> Result<&[T], Missing> {
    values.get(start..start.wrapping_add(length)).ok_or(Missing)
}

/// As [`part`], to change it.
#[inline(always)]
pub fn part_mut<T>(values: &mut [T], start: usize, length: usize) -> Result<&mut [T], Missing> {
    values.get_mut(start..start.wrapping_add(length)).ok_or(Missing)
}

/// Element `i`.
#[inline(always)]
pub fn at<T: Copy>(values: &[T], i: usize) -> Result<T, Missing> {
    values.get(i).copied().ok_or(Missing)
}

/// Element `i`, to change it.
#[inline(always)]
pub fn at_mut<T>(values: &mut [T], i: usize) -> Result<&mut T, Missing> {
    values.get_mut(i).ok_or(Missing)
}

/// The first `length` elements, and the rest.
#[inline(always)]
pub fn split<T>(values: &mut [T], length: usize) -> Result<(&mut [T], &mut [T]), Missing> {
    values.split_at_mut_checked(length).ok_or(Missing)
}

/// `K` parts of `length` elements each from the front, and the rest.
#[inline(always)]
pub fn split_each<T, const K: usize>(
    mut values: &mut [T],
    length: usize,
) -> Result<([&mut [T]; K], &mut [T]), Missing> {
    let mut parts: [&mut [T]; K] = core::array::from_fn(|_| Default::default());
    for part in &mut parts {
        (*part, values) = split(values, length)?;
    }
    Ok((parts, values))
}

/// Copies `from` to `to`, which is as long.
#[inline(always)]
pub fn copy<T: Copy>(from: &[T], to: &mut [T]) -> Result<(), Missing> {
    check(from.len() == to.len())?;
    to.copy_from_slice(from);
    Ok(())
}

/// Reals as vectors, for which memory in [`super::Block`]s is aligned.
#[inline(always)]
pub fn vectors<V: Lanes>(values: &[V::Real]) -> Result<&[V], Missing> {
    bytemuck::try_cast_slice(values).map_err(|_| Missing)
}

/// As [`vectors`], to change them.
#[inline(always)]
pub fn vectors_mut<V: Lanes>(values: &mut [V::Real]) -> Result<&mut [V], Missing> {
    bytemuck::try_cast_slice_mut(values).map_err(|_| Missing)
}

/// That lengths fit together, for the loops behind it: they need not check any index, and none ends too early.
#[inline(always)]
pub fn check(fits: bool) -> Result<(), Missing> {
    if fits { Ok(()) } else { Err(Missing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_or_missing() {
        let mut values = [1, 2, 3, 4, 5];
        assert_eq!(part(&values, 1, 3), Ok(&[2, 3, 4][..]));
        assert_eq!(part(&values, 5, 0), Ok(&[][..]));
        for (start, length) in [(3, 3), (6, 0), (usize::MAX, 2), (2, usize::MAX)] {
            assert_eq!(part(&values, start, length), Err(Missing));
            assert_eq!(part_mut(&mut values, start, length), Err(Missing));
        }
        assert_eq!((at(&values, 4), at(&values, 5)), (Ok(5), Err(Missing)));
        assert_eq!(at_mut(&mut values, 5), Err(Missing));
        assert_eq!(split(&mut values, 6), Err(Missing));
        let ([a, b], rest) = split_each(&mut values, 2).unwrap();
        assert_eq!((&*a, &*b, &*rest), (&[1, 2][..], &[3, 4][..], &[5][..]));
        assert!(split_each::<_, 3>(&mut values, 2).is_err());
    }

    #[test]
    fn copies_are_whole_or_none() {
        let mut to = [0, 0];
        assert_eq!(copy(&[1, 2, 3], &mut to), Err(Missing));
        assert_eq!(copy(&[1], &mut to), Err(Missing));
        assert_eq!(to, [0, 0]);
        assert_eq!(copy(&[1, 2], &mut to), Ok(()));
        assert_eq!(to, [1, 2]);
    }
}
