//! Flags of how pictures are written.

use crate::picture::Writing;

/// How pictures are written.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Args {
    /// Quality of a JPEG that is written, 1 to 100 [default: 95]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    output_quality: Option<u8>,
    /// Leave out when, where and with what the photo was taken: EXIF, XMP, IPTC, comments and texts
    #[arg(long)]
    strip_metadata: bool,
}

impl Args {
    /// What they say.
    pub fn writing(&self) -> Writing {
        let usual = Writing::default();
        Writing { quality: self.output_quality.unwrap_or(usual.quality), metadata: !self.strip_metadata }
    }
}
