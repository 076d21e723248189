//! Several distances at a time: they share loads and hide the latency of each other's polynomials.

/// Most distances in a block.
pub(super) const LARGEST: usize = 4;

/// Work on a block of `U` distances, the first of which is number `first`.
pub(super) trait BlockVisitor<V> {
    fn visit<const U: usize>(&mut self, first: usize, d: &[V; U]);
}

/// Splits `d` into blocks of [`LARGEST`] and what is left into halves; no lane's arithmetic depends on the split.
#[inline(always)]
pub(super) fn for_each_block<V>(d: &[V], visitor: &mut impl BlockVisitor<V>) {
    let (fours, rest) = d.as_chunks::<LARGEST>();
    let (twos, ones) = rest.as_chunks::<2>();
    let mut first = 0;
    for block in fours {
        visitor.visit(first, block);
        first += LARGEST;
    }
    for block in twos {
        visitor.visit(first, block);
        first += 2;
    }
    for block in ones.as_chunks::<1>().0 {
        visitor.visit(first, block);
    }
}
