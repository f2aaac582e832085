//! Variable-length integers (LEB128): 7 bits a byte, the lowest first.

/// Bytes of the longest number.
pub(super) const LONGEST: usize = 10;

/// Appends a number.
#[inline]
pub(super) fn write(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Sets a number at `at`, which moves behind it; there is room for it.
#[inline]
pub(super) fn set(bytes: &mut [u8], at: &mut usize, mut value: u64) {
    while value >= 0x80 {
        bytes[*at] = value as u8 | 0x80;
        *at += 1;
        value >>= 7;
    }
    bytes[*at] = value as u8;
    *at += 1;
}

/// Appends a number that may be negative, so that those near 0 are short.
#[inline]
pub(super) fn write_signed(bytes: &mut Vec<u8>, value: i64) {
    write(bytes, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// The number at `at`, which moves behind it; `None` if the bytes end before, or it is too large.
#[inline]
pub(super) fn read(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

/// As [`read`], of a number that [`write_signed`] wrote.
#[inline]
pub(super) fn read_signed(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let value = read(bytes, at)?;
    Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(unsigned in any::<u64>(), signed in any::<i64>(), bits in 0_u32..64) {
            let (unsigned, signed) = (unsigned >> bits, signed >> bits);
            let mut bytes = vec![];
            write(&mut bytes, unsigned);
            write_signed(&mut bytes, signed);
            let mut at = 0;
            prop_assert_eq!(read(&bytes, &mut at), Some(unsigned));
            prop_assert_eq!(read_signed(&bytes, &mut at), Some(signed));
            prop_assert_eq!(at, bytes.len());
            prop_assert_eq!(read(&bytes, &mut at), None);
        }
    }

    #[test]
    fn a_number_that_does_not_end_is_none() {
        assert_eq!(read(&[0xff; 20], &mut 0), None);
    }
}
