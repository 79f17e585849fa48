//! EXIF of a picture that has changed: its size, and its thumbnail. What it says of the resolution.
//!
//! The block is a TIFF file: a header, a directory of the picture, and one of the thumbnail that lies after it. Values are changed
//! where they lie, so that what only a camera's maker understands stays valid.

/// Tags of directories.
mod tag {
    pub const WIDTH: u16 = 0x100;
    pub const HEIGHT: u16 = 0x101;
    pub const COMPRESSION: u16 = 0x103;
    pub const INTERPRETATION: u16 = 0x106;
    pub const MAKER: u16 = 0x10f;
    pub const SAMPLES: u16 = 0x111;
    pub const SAMPLES_LENGTH: u16 = 0x117;
    pub const RESOLUTION: [u16; 2] = [0x11a, 0x11b];
    pub const RESOLUTION_UNIT: u16 = 0x128;
    pub const SUB_DIRECTORIES: u16 = 0x14a;
    pub const DNG_VERSION: u16 = 0xc612;
    pub const THUMBNAIL: u16 = 0x201;
    pub const THUMBNAIL_LENGTH: u16 = 0x202;
    pub const EXIF: u16 = 0x8769;
    pub const EXIF_WIDTH: u16 = 0xa002;
    pub const EXIF_HEIGHT: u16 = 0xa003;
}

const SHORT: u16 = 3;
const LONG: u16 = 4;
/// Bytes of an entry of a directory.
const ENTRY: usize = 12;

/// The same EXIF for a picture of `width` x `height`, with `thumbnail` (a JPEG) in the place of the one that it had; none if it is
/// not understood.
pub(super) fn renewed(exif: &[u8], [width, height]: [u32; 2], thumbnail: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut block = Block::read(exif)?;
    let first = block.first()?;
    block.set(first, tag::WIDTH, width);
    block.set(first, tag::HEIGHT, height);
    if let Some(sub) = block.value(first, tag::EXIF) {
        block.set(sub as usize, tag::EXIF_WIDTH, width);
        block.set(sub as usize, tag::EXIF_HEIGHT, height);
    }
    let had = block.remove_thumbnail(first)?;
    if let (true, Some(thumbnail)) = (had, thumbnail) {
        block.append_thumbnail(first, thumbnail)?;
    }
    Some(block.bytes)
}

/// Whether there is a directory after the picture's: of a thumbnail, or in a TIFF of another page.
pub(super) fn has_second_directory(exif: &[u8]) -> bool {
    let directory = || {
        let block = Block::read(exif)?;
        block.next(block.first()?)
    };
    directory().is_some_and(|next| next != 0)
}

/// Whether a TIFF is a raw photo: its picture is a preview, or it has sub-directories and the version of DNG.
pub(super) fn is_raw(tiff: &[u8]) -> bool {
    let has = |tag: u16| {
        let block = Block::read(tiff)?;
        block.entry(block.first()?, tag).map(drop)
    };
    has(tag::DNG_VERSION).is_some() || has(tag::SUB_DIRECTORIES).is_some() && has(tag::MAKER).is_some()
}

/// Pixels an inch, across and down.
pub(super) fn resolution(exif: &[u8]) -> Option<[f64; 2]> {
    let block = Block::read(exif)?;
    let first = block.first()?;
    let [x, y] = tag::RESOLUTION.map(|tag| block.ratio(first, tag));
    let unit = inches(block.value(first, tag::RESOLUTION_UNIT).map(|unit| unit as u16))?;
    Some([x? * unit, y? * unit])
}

/// What resolutions are multiplied by to be those of an inch; none if they are ratios.
pub(super) fn inches(unit: Option<u16>) -> Option<f64> {
    match unit {
        None | Some(2) => Some(1.0),
        Some(3) => Some(2.54),
        Some(_) => None,
    }
}

/// The block with a picture of one pixel before it, without which it is no TIFF to decoders, and where its own directory lies.
pub(super) fn with_picture(exif: &[u8]) -> Option<(Vec<u8>, u64)> {
    let mut block = Block::read(exif)?;
    let first = block.first()?;
    let entries = [
        (tag::WIDTH, LONG, block.four(1)),
        (tag::HEIGHT, LONG, block.four(1)),
        (tag::INTERPRETATION, SHORT, block.short(1)),
        (tag::SAMPLES, LONG, block.four(0)),
        (tag::SAMPLES_LENGTH, LONG, block.four(1)),
    ];
    let picture = block.append_directory(&entries)?;
    let address = block.four(picture);
    block.write(4, &address)?;
    Some((block.bytes, first as u64))
}

/// The bytes, and how they are read.
struct Block {
    bytes: Vec<u8>,
    little_endian: bool,
}

impl Block {
    fn read(exif: &[u8]) -> Option<Self> {
        let little_endian = match exif.get(..4)? {
            b"II\x2a\0" => true,
            b"MM\0\x2a" => false,
            _ => return None,
        };
        Some(Self { bytes: exif.to_vec(), little_endian })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn two(&self, value: u16) -> [u8; 2] {
        if self.little_endian { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    fn four(&self, value: u32) -> [u8; 4] {
        if self.little_endian { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    /// A number of 16 bits in an entry's place for its value.
    fn short(&self, value: u16) -> [u8; 4] {
        let [a, b] = self.two(value);
        [a, b, 0, 0]
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Option<()> {
        self.bytes.get_mut(at..at.checked_add(bytes.len())?)?.copy_from_slice(bytes);
        Some(())
    }

    /// Where the picture's directory is.
    fn first(&self) -> Option<usize> {
        let at = self.u32(4)? as usize;
        self.u16(at).map(|_| at)
    }

    /// Where the address of the directory after this one is.
    fn link(&self, directory: usize) -> Option<usize> {
        Some(directory + 2 + ENTRY * usize::from(self.u16(directory)?))
    }

    /// The address of the directory after this one, or 0.
    fn next(&self, directory: usize) -> Option<u32> {
        self.u32(self.link(directory)?)
    }

    /// Where the entry of a tag is.
    fn entry(&self, directory: usize, tag: u16) -> Option<usize> {
        let count = usize::from(self.u16(directory)?);
        (0..count).map(|i| directory + 2 + ENTRY * i).find(|&at| self.u16(at) == Some(tag))
    }

    /// The single number of a tag.
    fn value(&self, directory: usize, tag: u16) -> Option<u32> {
        let at = self.entry(directory, tag)?;
        match self.u16(at + 2)? {
            SHORT => self.u16(at + 8).map(u32::from),
            _ => self.u32(at + 8),
        }
    }

    /// The single ratio of a tag.
    fn ratio(&self, directory: usize, tag: u16) -> Option<f64> {
        let at = self.u32(self.entry(directory, tag)? + 8)? as usize;
        let (above, below) = (self.u32(at)?, self.u32(at.checked_add(4)?)?);
        (below > 0).then(|| f64::from(above) / f64::from(below))
    }

    /// Gives a tag another number where it has one.
    fn set(&mut self, directory: usize, tag: u16, value: u32) {
        let Some(at) = self.entry(directory, tag) else { return };
        // As a number of 32 bits, whatever it was.
        let (kind, value) = (self.two(LONG), self.four(value));
        _ = self.write(at + 2, &kind).and_then(|()| self.write(at + 8, &value));
    }

    /// Cuts the thumbnail's directory off, and tells whether there was one. Its bytes are cleared, and dropped where they are the last.
    fn remove_thumbnail(&mut self, first: usize) -> Option<bool> {
        let link = self.link(first)?;
        let directory = self.u32(link)? as usize;
        if directory == 0 {
            return Some(false);
        }
        self.write(link, &[0; 4])?;
        let picture = self.value(directory, tag::THUMBNAIL).zip(self.value(directory, tag::THUMBNAIL_LENGTH));
        let own = self.link(directory).map(|link| (directory, link + 4 - directory));
        let pictures = picture.map(|(at, length)| (at as usize, length as usize));
        // Neither may lie over the picture's own directory.
        if own.into_iter().chain(pictures).any(|(at, _)| at < link + 4) {
            return None;
        }
        for (at, length) in own.into_iter().chain(pictures) {
            let end = at.saturating_add(length).min(self.bytes.len());
            if let Some(bytes) = self.bytes.get_mut(at..end) {
                bytes.fill(0);
            }
            if end == self.bytes.len() && at > link {
                self.bytes.truncate(at);
            }
        }
        Some(true)
    }

    /// Adds a directory of entries with single values, linked to none, and tells where it lies.
    fn append_directory(&mut self, entries: &[(u16, u16, [u8; 4])]) -> Option<u32> {
        if !self.bytes.len().is_multiple_of(2) {
            self.bytes.push(0);
        }
        let directory = u32::try_from(self.bytes.len()).ok()?;
        self.bytes.extend(self.two(entries.len() as u16));
        for (tag, kind, value) in entries {
            let entry = self.two(*tag).into_iter().chain(self.two(*kind)).chain(self.four(1)).chain(*value);
            self.bytes.extend(entry.collect::<Vec<_>>());
        }
        self.bytes.extend([0; 4]);
        Some(directory)
    }

    /// Adds a directory with a thumbnail.
    fn append_thumbnail(&mut self, first: usize, jpeg: &[u8]) -> Option<()> {
        const ENTRIES: usize = 3;
        let picture = u32::try_from(self.bytes.len().next_multiple_of(2) + 2 + ENTRIES * ENTRY + 4).ok()?;
        let entries: [_; ENTRIES] = [
            // A JPEG's is number 6.
            (tag::COMPRESSION, SHORT, self.short(6)),
            (tag::THUMBNAIL, LONG, self.four(picture)),
            (tag::THUMBNAIL_LENGTH, LONG, self.four(u32::try_from(jpeg.len()).ok()?)),
        ];
        let directory = self.append_directory(&entries)?;
        self.bytes.extend(jpeg);
        let (link, address) = (self.link(first)?, self.four(directory));
        self.write(link, &address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXIF with a width, a sub-directory with one, text, and a thumbnail.
    fn example(little_endian: bool) -> Vec<u8> {
        let block = Block { bytes: Vec::new(), little_endian };
        let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
            let parts = [&block.two(tag)[..], &block.two(kind), &block.four(count), &value];
            parts.concat()
        };
        let header = [if little_endian { &b"II"[..] } else { b"MM" }, &block.two(42), &block.four(8)].concat();
        let first = [
            block.two(3).to_vec(),
            entry(tag::WIDTH, LONG, 1, block.four(64)),
            entry(0x10e, 2, 4, *b"cat\0"),
            entry(tag::EXIF, LONG, 1, block.four(50)),
            block.four(68).to_vec(),
        ];
        let sub = [block.two(1).to_vec(), entry(tag::EXIF_WIDTH, LONG, 1, block.four(64)), block.four(0).to_vec()];
        let thumbnail = [
            block.two(2).to_vec(),
            entry(tag::THUMBNAIL, LONG, 1, block.four(98)),
            entry(tag::THUMBNAIL_LENGTH, LONG, 1, block.four(5)),
            block.four(0).to_vec(),
            b"small".to_vec(),
        ];
        [header, first.concat(), sub.concat(), thumbnail.concat()].concat()
    }

    #[test]
    fn sizes_and_thumbnails_are_renewed_and_the_rest_stays() {
        for little_endian in [true, false] {
            let exif = example(little_endian);
            assert!(has_second_directory(&exif));
            let renewed = renewed(&exif, [128, 70_000], Some(b"another one")).unwrap();
            let block = Block::read(&renewed).unwrap();
            let first = block.first().unwrap();
            assert_eq!(block.value(first, tag::WIDTH), Some(128));
            let sub = block.value(first, tag::EXIF).unwrap() as usize;
            assert_eq!(block.value(sub, tag::EXIF_WIDTH), Some(128));
            assert_eq!(block.bytes[8 + 2 + 12 + 8..][..4], *b"cat\0");
            let directory = block.next(first).unwrap() as usize;
            let place = block.value(directory, tag::THUMBNAIL).unwrap() as usize;
            assert_eq!(block.bytes[place..], *b"another one");
            assert!(!renewed.windows(5).any(|bytes| bytes == b"small"), "the old thumbnail is there");
        }
    }

    #[test]
    fn thumbnails_are_dropped_and_damaged_blocks_survived() {
        let exif = example(true);
        let without = renewed(&exif, [1, 1], None).unwrap();
        assert!(!has_second_directory(&without) && without.len() < exif.len());
        for length in 0..exif.len() {
            _ = renewed(&exif[..length], [1, 1], Some(b"x"));
            _ = has_second_directory(&exif[..length]);
        }
        for at in 0..exif.len() {
            let mut damaged = exif.clone();
            damaged[at] = 0xff;
            _ = renewed(&damaged, [1, 1], Some(b"x"));
        }
        assert!(renewed(b"no exif", [1, 1], None).is_none());
        // A thumbnail that lies over the picture's own directory.
        let mut circular = exif.clone();
        circular[8 + 2 + 3 * ENTRY..][..4].copy_from_slice(&8u32.to_le_bytes());
        assert!(renewed(&circular, [1, 1], None).is_none());
    }
}
