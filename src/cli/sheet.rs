//! Pictures side by side under their labels.

use font8x8::UnicodeFonts;
use image::{Rgb, Rgb32FImage, imageops};

/// Height of the strip that holds a label.
const STRIP: u32 = 28;

/// Longest side of a sheet of several rows, about.
const SHEET: u32 = 2400;

/// Pictures of one size in rows that make a square, each under its label; large ones are reduced.
pub(super) fn in_rows(panels: &[(String, &Rgb32FImage)]) -> Rgb32FImage {
    let columns = (panels.len() as f64).sqrt().ceil().max(1.0) as usize;
    let most = SHEET / columns as u32;
    let fitted = |(label, picture): &(String, &Rgb32FImage)| {
        let (width, height) = picture.dimensions();
        let longest = width.max(height).max(most);
        let side = |side: u32| (side * most / longest).max(1);
        (label.clone(), imageops::resize(*picture, side(width), side(height), imageops::FilterType::CatmullRom))
    };
    let panels: Vec<_> = panels.iter().map(fitted).collect();
    let rows: Vec<Rgb32FImage> = panels.chunks(columns).map(side_by_side).collect();
    let width = rows.iter().map(Rgb32FImage::width).max().unwrap_or(1);
    let height = rows.iter().map(Rgb32FImage::height).sum::<u32>().max(1);
    let mut sheet = Rgb32FImage::from_pixel(width, height, Rgb([1.0; 3]));
    let mut top = 0;
    for row in rows {
        imageops::replace(&mut sheet, &row, 0, i64::from(top));
        top += row.height();
    }
    sheet
}

/// Pictures of one size in a row, each under its label; small ones are enlarged so that labels fit.
pub(super) fn side_by_side(panels: &[(String, Rgb32FImage)]) -> Rgb32FImage {
    const GAP: u32 = 4;
    let (width, height) = panels.first().map_or((1, 1), |(_, picture)| picture.dimensions());
    let zoom = (512 / width.max(1)).max(1);
    let (width, height) = (width * zoom, height * zoom);
    let count = panels.len() as u32;
    let mut sheet = Rgb32FImage::from_pixel(count * (width + GAP) - GAP, height + STRIP, Rgb([1.0; 3]));
    let longest = panels.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let letter_zoom = if longest as u32 * 16 <= width { 2 } else { 1 };
    for (i, (label, picture)) in panels.iter().enumerate() {
        let left = i as u32 * (width + GAP);
        write_label(&mut sheet, label, left + 4, letter_zoom);
        let picture = imageops::resize(picture, width, height, imageops::FilterType::Nearest);
        imageops::replace(&mut sheet, &picture, left.into(), STRIP.into());
    }
    sheet
}

fn write_label(sheet: &mut Rgb32FImage, label: &str, left: u32, zoom: u32) {
    let top = (STRIP - 8 * zoom) / 2;
    for (i, glyph) in label.chars().filter_map(|c| font8x8::BASIC_FONTS.get(c)).enumerate() {
        for (row, bits) in glyph.into_iter().enumerate() {
            for column in (0..8u32).filter(|column| bits >> column & 1 == 1) {
                for (dy, dx) in (0..zoom * zoom).map(|k| (k / zoom, k % zoom)) {
                    let x = left + (i as u32 * 8 + column) * zoom + dx;
                    let y = top + row as u32 * zoom + dy;
                    if x < sheet.width() {
                        sheet.put_pixel(x, y, Rgb([0.0; 3]));
                    }
                }
            }
        }
    }
}
