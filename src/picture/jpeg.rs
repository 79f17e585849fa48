//! What the segments of a JPEG file say, without decoding it.

use image::metadata::Orientation;
use serde::{Deserialize, Serialize};

/// Side of a block of the cosine transform.
pub const BLOCK: usize = 8;

/// Steps of the coefficients of a block; vertical frequencies down, horizontal ones across.
pub type QuantizationTable = [[u16; BLOCK]; BLOCK];

/// How a JPEG was compressed, of the picture turned upright.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compression {
    /// Steps of luma and of the two channels of chroma.
    pub tables: Box<[QuantizationTable; 3]>,
    /// Rows and columns of pixels that share a sample of chroma.
    pub sampling: [usize; 2],
    /// Rows and columns of the first block that lie outside the picture, above and to the left.
    pub origin: [usize; 2],
}

/// The tables of the standard (ITU-T T.81, K.1), for quality 50.
const LUMA: QuantizationTable = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
];
const CHROMA: QuantizationTable = [
    [17, 18, 24, 47, 99, 99, 99, 99],
    [18, 21, 26, 66, 99, 99, 99, 99],
    [24, 26, 56, 99, 99, 99, 99, 99],
    [47, 66, 99, 99, 99, 99, 99, 99],
    [99; BLOCK],
    [99; BLOCK],
    [99; BLOCK],
    [99; BLOCK],
];

impl Compression {
    /// The one of most programs at a quality of 1 to 100: the standard's tables, scaled as the Independent JPEG Group does, and chroma at
    /// half the size.
    pub fn standard(quality: u32) -> Self {
        let luma = scaled(&LUMA, quality);
        let chroma = scaled(&CHROMA, quality);
        Self { tables: Box::new([luma, chroma, chroma]), sampling: [2, 2], origin: [0, 0] }
    }

    /// The quality whose table of luma is closest, by ratios.
    pub fn quality(&self) -> u32 {
        let distance = |quality: u32| {
            let table = scaled(&LUMA, quality);
            let pairs = table.iter().flatten().zip(self.tables[0].iter().flatten());
            pairs.map(|(&a, &b)| (f64::from(a) / f64::from(b.max(1))).ln().powi(2)).sum::<f64>()
        };
        (1..=100).min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap_or(100)
    }

    /// Standard deviation of an error that is spread evenly over a step, the root mean square over the ten lowest frequencies of luma, of
    /// a `[0, 1]` image.
    pub fn step(&self) -> f64 {
        let low = (0..BLOCK * BLOCK).map(|i| [i / BLOCK, i % BLOCK]).filter(|[i, j]| i + j < 4);
        let squares: Vec<f64> = low.map(|[i, j]| f64::from(self.tables[0][i][j]).powi(2)).collect();
        (squares.iter().sum::<f64>() / squares.len() as f64 / 12.0).sqrt() / 255.0
    }

    /// Standard deviation of the white noise, of a `[0, 1]` image, that deblurring has to take compression for: what gave the best
    /// pictures for qualities from 30 to 95. It is more than the error of the pixels, since that is not white.
    pub fn noise(&self) -> f64 {
        2.0 / 255.0 + 1.3 * self.step()
    }

    /// The same where rows and columns were cut off at the top and the left.
    pub(super) fn cropped(mut self, [top, left]: [usize; 2]) -> Self {
        for (d, cut) in [top, left].into_iter().enumerate() {
            self.origin[d] = (self.origin[d] + cut) % (BLOCK * self.sampling[d]);
        }
        self
    }

    /// Whether its numbers are those of a file.
    pub fn is_plausible(&self) -> bool {
        let mut steps = self.tables.iter().flatten().flatten();
        let unit = self.sampling.map(|side| BLOCK * side);
        steps.all(|&step| step > 0)
            && self.sampling.iter().all(|side| (1..=4).contains(side))
            && self.origin.iter().zip(unit).all(|(&origin, unit)| origin < unit)
    }

    /// The same of the picture of `height` x `width` pixels that `orientation` turns upright.
    fn turned(self, orientation: Orientation, [height, width]: [usize; 2]) -> Self {
        use Orientation::{
            FlipHorizontal, FlipVertical, NoTransforms, Rotate90, Rotate90FlipH, Rotate180, Rotate270, Rotate270FlipH,
        };
        // Whether rows become columns, and whether rows and columns of the result run backwards.
        let (transposed, backwards) = match orientation {
            NoTransforms => (false, [false, false]),
            FlipHorizontal => (false, [false, true]),
            FlipVertical => (false, [true, false]),
            Rotate180 => (false, [true, true]),
            Rotate90FlipH => (true, [false, false]),
            Rotate90 => (true, [false, true]),
            Rotate270 => (true, [true, false]),
            Rotate270FlipH => (true, [true, true]),
        };
        let swapped = |pair: [usize; 2]| if transposed { [pair[1], pair[0]] } else { pair };
        let (size, sampling) = (swapped([height, width]), swapped(self.sampling));
        // What is missing of the last block.
        let rest = |d: usize| size[d].next_multiple_of(BLOCK * sampling[d]) - size[d];
        let origin = [0, 1].map(|d| if backwards[d] { rest(d) } else { 0 });
        let turned = |table: QuantizationTable| {
            let at = |i: usize, j: usize| if transposed { table[j][i] } else { table[i][j] };
            std::array::from_fn(|i| std::array::from_fn(|j| at(i, j)))
        };
        Self { tables: Box::new(self.tables.map(turned)), sampling, origin }
    }
}

/// A table for a quality of 1 to 100.
fn scaled(table: &QuantizationTable, quality: u32) -> QuantizationTable {
    let quality = quality.clamp(1, 100);
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    table.map(|row| row.map(|step| ((u32::from(step) * percent + 50) / 100).clamp(1, 255) as u16))
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Structure {
    /// Colour components of the frame header, if there is one.
    pub components: Option<Vec<Component>>,
    /// Whether the end marker was found, so that nothing is cut off.
    pub complete: bool,
    /// Whether more pictures follow, such as the gain map of a photo with a high dynamic range.
    pub has_more: bool,
    tables: [Option<QuantizationTable>; 4],
    /// Which colours Adobe's marker says they are, if it is there: 1 are YCbCr.
    pub adobe: Option<u8>,
}

/// A colour component: samples across and down in a unit, and its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Component {
    sampling: [usize; 2],
    table: usize,
}

impl Structure {
    /// Whether its colours are four inks.
    pub fn is_of_inks(&self) -> bool {
        self.components.as_ref().is_some_and(|components| components.len() == 4)
    }

    /// How the picture of `height` x `width` was compressed that `orientation` turns upright; none where it is of a rare kind.
    pub fn compression(&self, orientation: Orientation, size: [usize; 2]) -> Option<Compression> {
        let table = |component: &Component| self.tables.get(component.table).copied().flatten();
        let (tables, sampling) = match self.components.as_deref()? {
            // A file of one component has one sample in a unit, whatever it says.
            [luma] => ([table(luma)?; 3], [1, 1]),
            [luma, blue, red]
                if self.adobe.is_none_or(|colors| colors == 1) && [blue.sampling, red.sampling] == [[1, 1]; 2] =>
            {
                ([table(luma)?, table(blue)?, table(red)?], luma.sampling)
            }
            _ => return None,
        };
        let compression = Compression { tables: Box::new(tables), sampling, origin: [0, 0] };
        compression.is_plausible().then(|| compression.turned(orientation, size))
    }
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
                let body = bytes.get(at + 4..at + 2 + length).unwrap_or_default();
                match marker {
                    0xdb => read_tables(body, &mut found.tables),
                    0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => found.components = components(body),
                    0xe2 => found.has_more |= body.starts_with(b"MPF\0"),
                    0xee if body.starts_with(b"Adobe") => found.adobe = Some(body.get(11).copied().unwrap_or(0)),
                    _ => {}
                }
                at += 2 + length;
                if marker == 0xda {
                    at += scan(bytes.get(at..).unwrap_or_default());
                }
            }
        }
    }
    found
}

/// Reads the tables of a segment; each begins with its precision and its number.
fn read_tables(mut body: &[u8], tables: &mut [Option<QuantizationTable>; 4]) {
    while let Some((&head, rest)) = body.split_first() {
        let wide = head >> 4 != 0;
        let length = BLOCK * BLOCK * if wide { 2 } else { 1 };
        let (Some(values), Some(table)) = (rest.get(..length), tables.get_mut(usize::from(head & 15))) else { return };
        let step = |n: usize| match wide {
            true => u16::from_be_bytes([values[2 * n], values[2 * n + 1]]),
            false => values[n].into(),
        };
        let mut found = [[0; BLOCK]; BLOCK];
        for (n, [i, j]) in zigzag().enumerate() {
            found[i][j] = step(n);
        }
        *table = Some(found);
        body = &rest[length..];
    }
}

/// Rows and columns of a block in the order of a file: along diagonals, to and fro.
fn zigzag() -> impl Iterator<Item = [usize; 2]> {
    (0..2 * BLOCK - 1).flat_map(|sum| {
        let first = sum.saturating_sub(BLOCK - 1);
        (first..=sum.min(BLOCK - 1)).map(move |k| if sum % 2 == 0 { [sum - k, k] } else { [k, sum - k] })
    })
}

/// The components of a frame header.
fn components(body: &[u8]) -> Option<Vec<Component>> {
    let count = usize::from(*body.get(5)?);
    let entries = body.get(6..)?.chunks_exact(3).take(count);
    let component = |entry: &[u8]| Component {
        sampling: [usize::from(entry[1] & 15), usize::from(entry[1] >> 4)],
        table: entry[2].into(),
    };
    Some(entries.map(component).collect())
}

/// Length of the coded pixels that `bytes` begin with.
fn scan(bytes: &[u8]) -> usize {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff);
    bytes.windows(2).position(is_marker).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder, metadata::Orientation};

    use super::{Compression, structure};

    #[test]
    fn components_are_read_past_other_segments() {
        let head = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc0];
        for count in [1u8, 3, 4] {
            let frame = [&[0, 8 + 3 * count, 8, 0, 16, 0, 16, count][..], &[1, 0x11, 0].repeat(count.into())].concat();
            let found = structure(&[&head[..], &frame].concat()).components;
            assert_eq!(found.map(|all| all.len()), Some(count.into()));
        }
        assert_eq!(structure(&head).components, None, "cut off");
        assert_eq!(structure(&[]).components, None);
    }

    #[test]
    fn tables_are_those_that_the_encoder_was_asked_for() {
        let image = RgbImage::from_fn(40, 30, |x, y| Rgb([(x * 6) as u8, (y * 8) as u8, (x * y) as u8]));
        for quality in [5, 30, 50, 75, 96] {
            let mut bytes = Vec::new();
            image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).unwrap();
            let found = structure(&bytes).compression(Orientation::NoTransforms, [30, 40]).unwrap();
            assert_eq!(found.tables, Compression::standard(quality.into()).tables, "{quality}");
            assert_eq!(found.quality(), u32::from(quality));
        }
    }

    #[test]
    fn blocks_turn_with_the_picture() {
        let file = Compression { sampling: [1, 2], ..Compression::standard(50) };
        // 30 rows are 4 blocks without the last 2 rows; 40 columns are 3 units of 16 without the last 8 columns.
        let turned = |orientation| file.clone().turned(orientation, [30, 40]);
        assert_eq!(turned(Orientation::NoTransforms), file);
        assert_eq!(turned(Orientation::Rotate180).origin, [2, 8]);
        // A quarter turn clockwise: the lower rows come to the left.
        let quarter = turned(Orientation::Rotate90);
        assert_eq!((quarter.origin, quarter.sampling), ([0, 2], [2, 1]));
        assert_eq!(quarter.tables[0][0][1], file.tables[0][1][0]);
        assert_eq!(turned(Orientation::Rotate270).origin, [8, 0]);
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
