//! The header of a JPEG file.

/// Number of colour components in the frame header, if there is one.
pub(super) fn components(bytes: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        let marker = *bytes.get(at + 1)?;
        match marker {
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => return bytes.get(at + 9).copied(),
            _ => at += 2 + usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::components;

    #[test]
    fn components_are_read_past_other_segments() {
        let head = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc0, 0, 17, 8, 0, 16, 0, 16];
        for count in [1, 3, 4] {
            assert_eq!(components(&[&head[..], &[count]].concat()), Some(count));
        }
        assert_eq!(components(&head), None, "cut off");
        assert_eq!(components(&[]), None);
    }
}
