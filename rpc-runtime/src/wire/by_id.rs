//! Tables by ID, of requests and of methods: peers say the IDs, so where one stands in a table is a secret of the process.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

/// A table that is looked into for every call. Those whose IDs peers choose have no more entries than a connection may have
/// calls at once.
pub(crate) type ById<K, V> = HashMap<K, V, Secret>;

/// Hashes by multiplying with a secret number and folding the upper half of the product into the lower one, which is much
/// cheaper than what hides any input. One product alone would not do: for a seventh of all factors, IDs in a row fall on a few
/// places (the three-gap theorem), so what is looked up is multiplied a second time.
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
        folded_product(self.product, self.factor)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, part: u64) {
        self.product = folded_product(self.product ^ part, self.factor);
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

#[inline]
fn folded_product(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::streams::Side;
    use std::collections::HashSet;

    /// Odd numbers without a pattern, the same in every run: Weyl's sequence, mixed once.
    fn factors() -> impl Iterator<Item = Secret> {
        (1..=1000_u64).map(|n| {
            let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            Secret(folded_product(mixed ^ mixed >> 29, 0xbf58_476d_1ce4_e5b9) | 1)
        })
    }

    #[test]
    fn ids_in_a_row_and_far_apart_spread_over_a_table_whatever_the_secret() {
        for secret in factors() {
            for step in [1, 2, 3, 256, 512, 1000, 1 << 16, 1 << 24] {
                let ids = (0..256).map(|n: u32| n.wrapping_mul(step));
                let hashes: Vec<u64> = ids
                    .map(|id| secret.hash_one((Side::Theirs, id)))
                    .collect();
                // 256 requests in a table of 512 have some 201 places by chance, and it tells them apart by their upper 7 bits.
                let places: HashSet<u64> = hashes.iter().map(|hash| hash & 511).collect();
                let tags: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
                assert!(
                    places.len() > 150 && tags.len() > 80,
                    "{} places, {} tags for steps of {step}, {secret:?}",
                    places.len(),
                    tags.len()
                );
            }
        }
    }

    #[test]
    fn both_sides_of_a_connection_have_places_of_their_own() {
        let secret = Secret::default();
        assert_ne!(
            secret.hash_one((Side::Ours, 7_u32)),
            secret.hash_one((Side::Theirs, 7_u32))
        );
    }
}
