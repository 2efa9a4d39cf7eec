//! Hexadecimal digits of ids, eight at a time: a `traceparent` has 52 of them, in every request.
//!
//! Each digit is a byte of one register; what is done to it is done to all eight at once, and no
//! carry crosses from one byte to the next.

const ONES: u64 = 0x0101_0101_0101_0101;

/// Two digits for each byte, lowercase.
pub(super) fn write(out: &mut [u8], bytes: &[u8]) {
    let (eights, rest) = out.as_chunks_mut::<8>();
    let (fours, last) = bytes.as_chunks::<4>();
    for (eight, four) in eights.iter_mut().zip(fours) {
        *eight = digits(u32::from_be_bytes(*four));
    }
    for (pair, byte) in rest.chunks_exact_mut(2).zip(last) {
        pair.copy_from_slice(&digits((*byte).into())[6..]);
    }
}

/// The number that sixteen digits write. What is no lowercase digit leaves a bit in `wrong`: one
/// look at the end is enough for many numbers.
#[inline(always)]
pub(super) fn read16(digits: &[u8; 16], wrong: &mut u64) -> u64 {
    let (eights, _) = digits.as_chunks::<8>();
    let mut half = |eight: [u8; 8]| packed(half_bytes(u64::from_be_bytes(eight), wrong));
    (half(eights[0]) << 32) | half(eights[1])
}

/// The number that two digits write, as [`read16`].
#[inline(always)]
pub(super) fn read2(digits: &[u8; 2], wrong: &mut u64) -> u8 {
    let eight = [b'0', b'0', b'0', b'0', b'0', b'0', digits[0], digits[1]];
    packed(half_bytes(u64::from_be_bytes(eight), wrong)) as u8
}

/// What eight digits stand for, one in each byte. They are digits if they are written the same
/// again.
#[inline(always)]
fn half_bytes(digits: u64, wrong: &mut u64) -> u64 {
    // In ASCII bit 6 tells letters from decimal digits, and a letter's low half counts from one.
    let letters = (digits >> 6) & ONES;
    let half_bytes = (digits & (0x0f * ONES)) + 9 * letters;
    *wrong |= (written(half_bytes) ^ digits) | (half_bytes & (0xf0 * ONES));
    half_bytes
}

/// Half bytes, one in each byte, without the gaps between them.
#[inline(always)]
fn packed(spread: u64) -> u64 {
    let pairs = (spread | (spread >> 4)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    (fours | (fours >> 16)) & 0xffff_ffff
}

/// The digits of sixteen half bytes.
#[inline]
pub(super) fn write16(value: u64) -> [u8; 16] {
    let mut out = [0; 16];
    let (high, low) = out.split_at_mut(8);
    high.copy_from_slice(&digits((value >> 32) as u32));
    low.copy_from_slice(&digits(value as u32));
    out
}

/// Up to sixteen lowercase digits.
pub(crate) fn read(text: &[u8]) -> Option<u64> {
    let (eights, rest) = text.as_chunks::<8>();
    let value = eights.iter().try_fold(0, |value: u64, eight| {
        Some((value << 32) | u64::from(number(*eight)?))
    })?;
    rest.iter().try_fold(value, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((value << 4) | u64::from(digit))
    })
}

/// Up to thirty-two lowercase digits; shorter ids are padded with zeros on the left.
pub(super) fn read_wide(digits: &[u8]) -> Option<u128> {
    let (high, low) = digits.split_at(digits.len().saturating_sub(16));
    Some((u128::from(read(high)?) << 64) | u128::from(read(low)?))
}

/// The digits of `value`, the highest first.
#[inline]
fn digits(value: u32) -> [u8; 8] {
    // One half byte in each byte, by halving the distances.
    let mut spread = u64::from(value);
    spread = (spread | (spread << 16)) & 0x0000_ffff_0000_ffff;
    spread = (spread | (spread << 8)) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | (spread << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    written(spread).to_be_bytes()
}

/// The digits of eight half bytes.
#[inline(always)]
fn written(half_bytes: u64) -> u64 {
    // 1 where the half byte is ten or more.
    let letters = ((half_bytes + 6 * ONES) >> 4) & ONES;
    let to_letter = u64::from(b'a' - 10 - b'0');
    half_bytes + u64::from(b'0') * ONES + to_letter * letters
}

/// The number that eight digits write.
#[inline]
fn number(digits: [u8; 8]) -> Option<u32> {
    let mut wrong = 0;
    let half_bytes = half_bytes(u64::from_be_bytes(digits), &mut wrong);
    (wrong == 0).then_some(packed(half_bytes) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_values_agree_with_the_standard_library() {
        let mut value = 1_u128;
        for _ in 0..10_000 {
            value = value
                .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
                .wrapping_add(1);
            let text = format!("{value:032x}");
            let mut written = [0; 32];
            write(&mut written, &value.to_be_bytes());
            assert_eq!(written, text.as_bytes());
            assert_eq!(read_wide(&written), Some(value));
            let half = write16(value as u64);
            assert_eq!(half, written[16..]);
            let mut wrong = 0;
            assert_eq!((read16(&half, &mut wrong), wrong), (value as u64, 0));
            for len in 0..=16 {
                let expected = u64::from_str_radix(&text[..len], 16).unwrap_or(0);
                assert_eq!(read(&text.as_bytes()[..len]), Some(expected));
            }
        }
        let mut written = [0; 2];
        write(&mut written, &[0x3f]);
        assert_eq!(&written, b"3f");
    }

    #[test]
    fn only_lowercase_digits_are_digits() {
        for at in 0..10 {
            for byte in 0..=u8::MAX {
                let mut digits = *b"0123cdef09";
                digits[at] = byte;
                let expected = byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                assert_eq!(read(&digits).is_some(), expected, "{digits:?}");
                let mut long = *b"0123cdef09abcdef";
                long[at] = byte;
                let mut wrong = 0;
                read16(&long, &mut wrong);
                assert_eq!(wrong == 0, expected, "{long:?}");
                let mut wrong = 0;
                assert_eq!(read2(&[byte, b'f'], &mut wrong) & 0x0f, 0x0f);
                assert_eq!(wrong == 0, expected, "{byte}");
            }
        }
    }
}
