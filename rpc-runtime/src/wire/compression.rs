//! Bodies compressed with LZ4: one frame of its frame format, which says how large the body is.

/// What is wrong with a compressed body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unpacking {
    /// It cannot be read, or not by this build.
    Malformed(String),
    /// It is larger than is taken.
    #[cfg_attr(
        not(feature = "lz4"),
        expect(dead_code, reason = "nothing is unpacked without the feature")
    )]
    TooLarge(String),
}

impl Unpacking {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Malformed(text) | Self::TooLarge(text) => text,
        }
    }
}

#[cfg(feature = "lz4")]
pub(crate) use lz4::{pack, unpack};

#[cfg(not(feature = "lz4"))]
pub(crate) use without::{pack, unpack};

#[cfg(not(feature = "lz4"))]
mod without {
    use super::Unpacking;

    pub(crate) fn pack(_: &[u8]) -> Option<Vec<u8>> {
        None
    }

    pub(crate) fn unpack(_: &[u8], _: u64) -> Result<Vec<u8>, Unpacking> {
        let text = "it is compressed, which is not understood here (the feature `lz4` is off)";
        Err(Unpacking::Malformed(text.to_owned()))
    }
}

#[cfg(feature = "lz4")]
mod lz4 {
    use std::io::{Read, Write};

    use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

    use super::Unpacking;

    /// Smaller bodies are not worth the work: they fit into a few packets as they are.
    const WORTH_IT: usize = 4 << 10;

    /// First bytes of an LZ4 frame.
    const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

    /// Bytes before the first block: magic, flags, block size, content size, checksum of these.
    const FRONT: usize = 4 + 2 + 8 + 1;

    /// Bits of the flags: version 01, each block has a checksum, the content size is there, so has the content a checksum,
    /// a dictionary is needed.
    const VERSION: u8 = 0b1100_0000;
    const VERSION_1: u8 = 0b0100_0000;
    const BLOCK_CHECKSUM: u8 = 0b0001_0000;
    const CONTENT_SIZE: u8 = 0b0000_1000;
    const CONTENT_CHECKSUM: u8 = 0b0000_0100;
    const DICTIONARY: u8 = 0b0000_0001;

    /// Bit of a block's length that says that it is not compressed.
    const STORED: u32 = 1 << 31;

    /// Memory is made ready for so much at a time, whatever a body says of its size.
    const STEP: u64 = 64 << 10;

    /// The body compressed, if that makes it smaller.
    pub(crate) fn pack(body: &[u8]) -> Option<Vec<u8>> {
        if body.len() <= WORTH_IT {
            return None;
        }
        let info = FrameInfo::new()
            .block_size(BlockSize::Max64KB)
            .block_mode(BlockMode::Linked)
            .content_size(Some(body.len() as u64));
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::with_capacity(body.len() / 2));
        // Writing to a Vec cannot fail.
        encoder.write_all(body).ok()?;
        let packed = encoder.finish().ok()?;
        (packed.len() < body.len()).then_some(packed)
    }

    /// The body as it was, if it has at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// It is not exactly one LZ4 frame with its content size, or larger.
    pub(crate) fn unpack(packed: &[u8], limit: u64) -> Result<Vec<u8>, Unpacking> {
        let size = check_layout(packed)
            .map_err(|text| Unpacking::Malformed(format!("it is compressed, but {text}")))?;
        if size > limit {
            return Err(Unpacking::TooLarge(format!(
                "it has {size} bytes without its compression, {limit} are allowed"
            )));
        }
        // A frame that holds more than it says is found out one byte too late, and that is soon enough.
        let mut decoder = FrameDecoder::new(packed).take(size + 1);
        let mut body = Vec::with_capacity(size.min(STEP) as usize);
        let wrong = |text: String| Unpacking::Malformed(format!("it is compressed, but {text}"));
        let read = decoder.read_to_end(&mut body);
        read.map_err(|error| wrong(format!("cannot be read: {error}")))?;
        if body.len() as u64 != size {
            return Err(wrong(format!(
                "does not hold the {size} bytes that it says"
            )));
        }
        Ok(body)
    }

    /// Walks over the blocks: nothing may be missing, nothing may follow. Gives the size of the content.
    fn check_layout(packed: &[u8]) -> Result<u64, String> {
        let Some((front, mut rest)) = packed.split_first_chunk::<FRONT>() else {
            return Err("is shorter than the front of an LZ4 frame".to_owned());
        };
        let flags = front[4];
        if front[..4] != MAGIC || flags & VERSION != VERSION_1 {
            return Err("is no LZ4 frame".to_owned());
        }
        if flags & CONTENT_SIZE == 0 || flags & DICTIONARY != 0 {
            return Err(
                "is an LZ4 frame without its content size, or with a dictionary".to_owned(),
            );
        }
        let checksum = if flags & BLOCK_CHECKSUM != 0 { 4 } else { 0 };
        loop {
            let Some((length, blocks)) = rest.split_first_chunk::<4>() else {
                return Err("ends before its end mark".to_owned());
            };
            let length = u32::from_le_bytes(*length);
            if length == 0 {
                rest = blocks;
                break;
            }
            let skipped = (length & !STORED) as usize + checksum;
            rest = blocks
                .get(skipped..)
                .ok_or_else(|| "ends in the middle of a block".to_owned())?;
        }
        let end = if flags & CONTENT_CHECKSUM != 0 { 4 } else { 0 };
        if rest.len() != end {
            return Err(format!(
                "has {} bytes behind its end mark, not {end}",
                rest.len()
            ));
        }
        let size: [u8; 8] = front[6..14].try_into().unwrap_or_default();
        Ok(u64::from_le_bytes(size))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn frame_of(body: &[u8], said: Option<u64>) -> Vec<u8> {
            let info = FrameInfo::new().content_size(said);
            let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }

        #[test]
        fn what_was_packed_is_unpacked_up_to_its_limit_and_no_further() {
            let body = b"the same again and again ".repeat(10_000);
            let packed = pack(&body).expect("it is worth it");
            assert!(packed.len() < body.len() / 20);
            let size = body.len() as u64;
            assert_eq!(unpack(&packed, size).unwrap(), body);
            assert_eq!(unpack(&packed, size + 1).unwrap(), body);
            let text = format!(
                "it has {size} bytes without its compression, {} are allowed",
                size - 1
            );
            assert_eq!(unpack(&packed, size - 1), Err(Unpacking::TooLarge(text)));
        }

        #[test]
        fn small_bodies_and_noise_stay_as_they_are() {
            assert_eq!(pack(&[7; WORTH_IT]), None);
            assert!(pack(&[7; WORTH_IT + 1]).is_some());
            let mut state = 1_u64;
            let noise = std::iter::repeat_with(move || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            });
            assert_eq!(pack(&noise.take(100_000).collect::<Vec<_>>()), None);
        }

        #[test]
        fn a_frame_cut_anywhere_or_followed_by_anything_is_refused() {
            let packed = pack(&b"0123456789abcdef".repeat(20_000)).unwrap();
            for end in 0..packed.len() {
                let refused = unpack(&packed[..end], 1 << 30);
                assert!(
                    matches!(refused, Err(Unpacking::Malformed(_))),
                    "cut at {end}"
                );
            }
            for tail in [&[0][..], &[0; 4], &packed] {
                let refused = unpack(&[&packed, tail].concat(), 1 << 30);
                let Err(Unpacking::Malformed(text)) = refused else {
                    panic!("{refused:?}");
                };
                assert!(text.contains("behind its end mark"), "{text}");
            }
        }

        #[test]
        fn a_frame_that_lies_about_its_size_is_refused_without_making_room_for_the_lie() {
            let body = vec![0; 1 << 20];
            let mut packed = pack(&body).unwrap();
            // The header's checksum covers the size, so a lie needs a frame of its own.
            packed[6] ^= 1;
            assert!(matches!(
                unpack(&packed, 1 << 30),
                Err(Unpacking::Malformed(_))
            ));
            assert!(matches!(
                unpack(&frame_of(&body, None), 1 << 30),
                Err(Unpacking::Malformed(text)) if text.contains("without its content size")
            ));
        }
    }
}
