//! What the segments of a JPEG file say, without decoding it.

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Structure {
    /// Number of colour components in the frame header, if there is one.
    pub components: Option<u8>,
    /// Whether the end marker was found, so that nothing is cut off.
    pub complete: bool,
    /// Whether more pictures follow, such as the gain map of a photo with a high dynamic range.
    pub has_more: bool,
}

/// Walks over the segments.
pub(super) fn structure(bytes: &[u8]) -> Structure {
    let mut found = Structure::default();
    let mut at = 2;
    while let (Some(&byte), Some(&marker)) = (bytes.get(at), bytes.get(at + 1)) {
        // Decoders skip what lies between segments.
        if byte != 0xff {
            at += 1;
            continue;
        }
        let length = || Some(usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?])));
        match marker {
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            0xd9 => {
                found.complete = true;
                break;
            }
            _ => {
                let Some(length) = length() else { break };
                if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
                    found.components = bytes.get(at + 9).copied();
                }
                found.has_more |= marker == 0xe2 && bytes.get(at + 4..at + 8) == Some(b"MPF\0");
                at += 2 + length;
                if marker == 0xda {
                    at += scan(bytes.get(at..).unwrap_or_default());
                }
            }
        }
    }
    found
}

/// Length of the coded pixels that `bytes` begin with.
fn scan(bytes: &[u8]) -> usize {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff);
    bytes.windows(2).position(is_marker).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};

    use super::structure;

    #[test]
    fn components_are_read_past_other_segments() {
        let head = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc0, 0, 17, 8, 0, 16, 0, 16];
        for count in [1, 3, 4] {
            assert_eq!(structure(&[&head[..], &[count]].concat()).components, Some(count));
        }
        assert_eq!(structure(&head).components, None, "cut off");
        assert_eq!(structure(&[]).components, None);
    }

    #[test]
    fn files_that_are_cut_off_have_no_end() {
        let image = RgbImage::from_fn(40, 30, |x, y| Rgb([(x * 6) as u8, (y * 8) as u8, (x * y) as u8]));
        let mut bytes = Vec::new();
        image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 80)).unwrap();
        assert!(structure(&bytes).complete);
        for length in [20, bytes.len() / 2, bytes.len() - 2] {
            assert!(!structure(&bytes[..length]).complete, "{length} of {} bytes", bytes.len());
        }
    }
}
