//! EXIF of TIFFs. Other formats keep a block, which is a TIFF without a picture; a TIFF keeps the same among the tags of its picture.

use std::io::{Cursor, Read, Seek, Write};

use tiff::TiffResult;
use tiff::decoder::{Decoder, ifd::Value};
use tiff::encoder::{DirectoryEncoder, TiffEncoder, TiffKindStandard};
use tiff::tags::{ByteOrder, IfdPointer, Tag, Type, ValueBuffer};

use crate::picture::exif;

/// Tags that point at directories within a directory: of the photo, of the place, and of what other programs understand.
const WITHIN: [Tag; 3] = [Tag::ExifDirectory, Tag::GpsDirectory, INTEROPERABILITY];
const INTEROPERABILITY: Tag = Tag::Unknown(0xa005);
/// How deep directories lie in each other, at most.
const DEPTH: usize = 3;
/// What the directory of a picture says of the photo, and not of its samples: names, texts, dates, owners, ratings.
const OF_THE_PHOTO: [Tag; 19] = [
    DOCUMENT_NAME,
    Tag::ImageDescription,
    Tag::Make,
    Tag::Model,
    PAGE_NAME,
    Tag::Software,
    Tag::DateTime,
    Tag::Artist,
    Tag::HostComputer,
    RATING,
    RATING_PERCENT,
    Tag::Copyright,
    XP_TITLE,
    XP_COMMENT,
    XP_AUTHOR,
    XP_KEYWORDS,
    XP_SUBJECT,
    Tag::ExifDirectory,
    Tag::GpsDirectory,
];
const DOCUMENT_NAME: Tag = Tag::Unknown(269);
const PAGE_NAME: Tag = Tag::Unknown(285);
const RATING: Tag = Tag::Unknown(0x4746);
const RATING_PERCENT: Tag = Tag::Unknown(0x4749);
const XP_TITLE: Tag = Tag::Unknown(0x9c9b);
const XP_COMMENT: Tag = Tag::Unknown(0x9c9c);
const XP_AUTHOR: Tag = Tag::Unknown(0x9c9d);
const XP_KEYWORDS: Tag = Tag::Unknown(0x9c9e);
const XP_SUBJECT: Tag = Tag::Unknown(0x9c9f);

/// What a directory says.
#[derive(Default)]
pub(super) struct Sayings {
    values: Vec<(Tag, ValueBuffer)>,
    /// Directories within it, and the tags that point at them.
    within: Vec<(Tag, Sayings)>,
    /// Whether a value could not be read.
    is_damaged: bool,
}

impl Sayings {
    /// Of the page at which a file of `length` bytes is.
    pub(super) fn of_page<R: Read + Seek>(file: &mut Decoder<R>, length: usize) -> Self {
        let page = file.ifd_pointer();
        page.and_then(|page| Self::read(file, page, 1, &mut (length as u64)).ok()).unwrap_or_default()
    }

    /// Of a block of EXIF; none if it is not understood.
    pub(super) fn of_block(block: &[u8]) -> Option<Self> {
        let (block, directory) = exif::with_picture(block)?;
        let length = block.len();
        let mut file = Decoder::new(Cursor::new(block)).ok()?;
        Self::read(&mut file, IfdPointer(directory), 1, &mut (length as u64)).ok()
    }

    /// Of a directory, `depth` deep, whose values have at most `budget` bytes together, however often the file refers to the same.
    fn read<R: Read + Seek>(file: &mut Decoder<R>, at: IfdPointer, depth: usize, budget: &mut u64) -> TiffResult<Self> {
        let directory = file.read_directory(at)?;
        let mut found = Self::default();
        for (tag, entry) in directory.iter().filter(|(tag, _)| depth > 1 || OF_THE_PHOTO.contains(tag)) {
            let is_of_big_files = matches!(entry.field_type(), Type::LONG8 | Type::SLONG8 | Type::IFD8);
            let size = entry.count().saturating_mul(bytes_of(entry.field_type()));
            let Some(left) = budget.checked_sub(size).filter(|_| !is_of_big_files) else {
                found.is_damaged = true;
                continue;
            };
            *budget = left;
            let mut tags = file.read_directory_tags(&directory);
            if WITHIN.contains(&tag) {
                let place = tags.get_tag(tag).and_then(Value::into_ifd_pointer).ok().filter(|_| depth < DEPTH);
                match place.and_then(|place| Self::read(file, place, depth + 1, budget).ok()) {
                    Some(within) => found.within.push((tag, within)),
                    None => found.is_damaged = true,
                }
                continue;
            }
            let mut value = ValueBuffer::empty(Type::BYTE);
            if tags.find_tag_buf(tag, &mut value).is_err() {
                found.is_damaged = true;
                continue;
            }
            value.set_byte_order(ByteOrder::native());
            found.values.push((tag, value));
        }
        Ok(found)
    }

    /// Whether nothing is said.
    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.within.iter().all(|(_, within)| within.is_empty())
    }

    /// Whether something that was said could not be read.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged || self.within.iter().any(|(_, within)| within.is_damaged())
    }

    /// A block of EXIF that says the same; none if nothing is said.
    pub(super) fn to_block(&self) -> Option<Vec<u8>> {
        let write = |into: &mut Vec<u8>| -> TiffResult<()> {
            let mut file = TiffEncoder::new(Cursor::new(into))?;
            let within = self.write_within(&mut file)?;
            let mut directory = file.image_directory()?;
            self.write(&mut directory, &within)?;
            directory.finish()
        };
        let mut block = Vec::new();
        (!self.is_empty() && write(&mut block).is_ok()).then_some(block)
    }

    /// Writes the directories within it, which comes first, and tells where they are.
    pub(super) fn write_within<W: Write + Seek>(&self, file: &mut TiffEncoder<W>) -> TiffResult<Vec<(Tag, u32)>> {
        let mut places = Vec::new();
        for (tag, sayings) in self.within.iter().filter(|(_, within)| !within.is_empty()) {
            let within = sayings.write_within(file)?;
            let mut directory = file.extra_directory()?;
            sayings.write(&mut directory, &within)?;
            places.push((*tag, u32::try_from(directory.finish_with_offsets()?.pointer.0)?));
        }
        Ok(places)
    }

    /// Writes what is said into a directory, in which those at the places lie.
    pub(super) fn write<W: Write + Seek>(
        &self,
        directory: &mut DirectoryEncoder<'_, W, TiffKindStandard>,
        within: &[(Tag, u32)],
    ) -> TiffResult<()> {
        self.values.iter().try_for_each(|(tag, value)| directory.write_tag_buf(*tag, value))?;
        within.iter().try_for_each(|(tag, place)| directory.write_tag(*tag, *place))
    }
}

/// Bytes of one number of a kind.
fn bytes_of(kind: Type) -> u64 {
    match kind {
        Type::BYTE | Type::SBYTE | Type::ASCII | Type::UNDEFINED => 1,
        Type::SHORT | Type::SSHORT => 2,
        Type::LONG | Type::SLONG | Type::FLOAT | Type::IFD => 4,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block whose directories hold the entries of `tag`, `count` and value, all as numbers of 32 bits.
    fn block(entries: &[(u16, u32, u32)]) -> Vec<u8> {
        let mut block = [&b"II\x2a\0\x08\0\0\0"[..], &(entries.len() as u16).to_le_bytes()].concat();
        for (tag, count, value) in entries {
            block.extend(
                [&tag.to_le_bytes()[..], &4u16.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat(),
            );
        }
        [block, vec![0; 4]].concat()
    }

    #[test]
    fn circles_and_values_larger_than_their_file_are_damage() {
        // The directory of EXIF is the picture's own, and that of another program within it as well.
        let circle = Sayings::of_block(&block(&[(0x10f, 1, 7), (0x8769, 1, 8), (0xa005, 1, 8)])).unwrap();
        assert!(circle.is_damaged() && circle.to_block().is_some());
        for count in [1000, 1 << 20, u32::MAX] {
            let large = Sayings::of_block(&block(&[(0x10f, count, 8), (0x110, 1, 5)])).unwrap();
            assert!(large.is_damaged() && large.values.len() == 1, "{count}");
        }
        // Many that are each small enough, and not together.
        let many: Vec<_> = (0..40).map(|i| (0x9000 + i, 60, 8)).collect();
        let entries = [vec![(0x8769, 1, 8)], many].concat();
        let within = Sayings::of_block(&block(&entries)).unwrap();
        let bytes = |sayings: &Sayings| sayings.values.iter().map(|(_, value)| value.as_bytes().len()).sum::<usize>();
        let total: usize = bytes(&within) + within.within.iter().map(|(_, within)| bytes(within)).sum::<usize>();
        assert!(within.is_damaged() && total <= block(&entries).len() + 100, "{total}");
    }

    #[test]
    fn a_block_comes_back_as_it_was_said() {
        let said = Sayings::of_block(&block(&[(0x10f, 1, 7), (0x110, 1, 9)])).unwrap();
        let again = Sayings::of_block(&said.to_block().unwrap()).unwrap();
        let numbers = |sayings: &Sayings| {
            sayings.values.iter().map(|(tag, value)| (tag.to_u16(), value.as_bytes().to_vec())).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&said), numbers(&again));
        assert_eq!(numbers(&said).len(), 2);
        assert!(Sayings::default().to_block().is_none());
    }
}
