//! Tables by ID, of requests and of methods: peers say the IDs, so where one stands in a table is a secret of the process.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

/// A table that is looked into for every call. Those whose IDs peers choose have no more entries than a connection may have
/// calls at once.
pub(crate) type ById<K, V> = HashMap<K, V, Secret>;

/// Hashes by one multiplication with a secret odd number, which is much cheaper than what hides any input: two given IDs fall
/// together for next to none of those numbers (multiply-shift; Dietzfelbinger, Hagerup, Katajainen, Penttonen: A Reliable
/// Randomized Algorithm for the Closest-Pair Problem, 1997).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secret(u64);

impl Default for Secret {
    fn default() -> Self {
        static FACTOR: OnceLock<u64> = OnceLock::new();
        Self(*FACTOR.get_or_init(|| RandomState::new().hash_one(0) | 1))
    }
}

impl BuildHasher for Secret {
    type Hasher = Multiplied;

    #[inline]
    fn build_hasher(&self) -> Multiplied {
        Multiplied {
            factor: self.0,
            product: 0,
        }
    }
}

/// A hash in the making.
#[derive(Debug)]
pub(crate) struct Multiplied {
    factor: u64,
    product: u64,
}

impl Hasher for Multiplied {
    #[inline]
    fn finish(&self) -> u64 {
        self.product
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, part: u64) {
        // The table takes its place from the low bits, and those of a product that depend on all of the ID are the high ones.
        self.product = (self.product ^ part)
            .wrapping_mul(self.factor)
            .rotate_left(24);
    }

    #[inline]
    fn write_u32(&mut self, part: u32) {
        self.write_u64(part.into());
    }

    #[inline]
    fn write_isize(&mut self, part: isize) {
        self.write_u64(part as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::streams::Side;

    #[test]
    fn ids_in_a_row_and_far_apart_spread_over_a_table() {
        // The places of 256 requests in a table of 512: by chance some 200 different ones.
        let spread = |ids: &mut dyn Iterator<Item = u32>| {
            let places: std::collections::HashSet<u64> = ids
                .map(|id| Secret::default().hash_one((Side::Theirs, id)) & 511)
                .collect();
            places.len()
        };
        for step in [1, 2, 256, 512, 1 << 16, 1 << 24] {
            let places = spread(&mut (0..256).map(|n: u32| n.wrapping_mul(step)));
            assert!(places > 100, "{places} places for steps of {step}");
        }
        let (ours, theirs) = ((Side::Ours, 7_u32), (Side::Theirs, 7_u32));
        assert_ne!(
            Secret::default().hash_one(ours),
            Secret::default().hash_one(theirs)
        );
    }
}
