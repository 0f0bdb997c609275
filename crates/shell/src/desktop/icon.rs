//! Window icons: PNG to pixels.

use tao::window::Icon;

/// Widest and tallest icon that is read.
const SIDE_MAX: u32 = 1_024;

/// Reads a PNG.
///
/// # Errors
/// A sentence for people.
pub fn from_png(bytes: &[u8]) -> Result<Icon, String> {
    let (pixels, width, height) = pixels(bytes)?;
    Icon::from_rgba(pixels, width, height).map_err(|error| error.to_string())
}

/// Reads a PNG to four bytes a pixel, width and height.
///
/// # Errors
/// A sentence for people.
pub fn pixels(bytes: &[u8]) -> Result<(Vec<u8>, u32, u32), String> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::ALPHA | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(|error| format!("the icon is no PNG: {error}"))?;
    let (width, height) = reader.info().size();
    if width > SIDE_MAX || height > SIDE_MAX {
        return Err(format!(
            "the icon is {width} × {height} pixels; at most {SIDE_MAX} × {SIDE_MAX} are read"
        ));
    }
    let size = reader.output_buffer_size().ok_or("the icon is too large")?;
    let mut pixels = vec![0; size];
    let frame =
        reader.next_frame(&mut pixels).map_err(|error| format!("the icon's PNG is damaged: {error}"))?;
    pixels.truncate(frame.buffer_size());
    if frame.color_type == png::ColorType::GrayscaleAlpha {
        pixels = pixels.chunks_exact(2).flat_map(|pair| [pair[0], pair[0], pair[0], pair[1]]).collect();
    }
    Ok((pixels, width, height))
}
