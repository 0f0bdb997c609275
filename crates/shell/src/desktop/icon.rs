//! Window icons: PNG to pixels.

use staysail_protocol::limits::ICON_SIDE_MAX;
use tao::window::Icon;

/// Reads a PNG.
///
/// # Errors
/// A sentence for people.
pub fn from_png(bytes: &[u8]) -> Result<Icon, String> {
    let (pixels, width, height) = pixels(bytes, "icon", ICON_SIDE_MAX)?;
    Icon::from_rgba(pixels, width, height).map_err(|error| error.to_string())
}

/// Reads a PNG of at most `side_max` pixels a side to four bytes a pixel, width and height. `what` it is, an error says.
///
/// # Errors
/// A sentence for people.
pub fn pixels(bytes: &[u8], what: &str, side_max: u32) -> Result<(Vec<u8>, u32, u32), String> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::ALPHA | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(|error| format!("the {what} is no PNG: {error}"))?;
    let (width, height) = reader.info().size();
    if width > side_max || height > side_max {
        return Err(format!(
            "the {what} is {width} × {height} pixels; at most {side_max} × {side_max} are read"
        ));
    }
    let size = reader.output_buffer_size().ok_or_else(|| format!("the {what} is too large"))?;
    let mut pixels = vec![0; size];
    let frame = reader
        .next_frame(&mut pixels)
        .map_err(|error| format!("the PNG of the {what} is damaged: {error}"))?;
    pixels.truncate(frame.buffer_size());
    if frame.color_type == png::ColorType::GrayscaleAlpha {
        pixels = pixels.chunks_exact(2).flat_map(|pair| [pair[0], pair[0], pair[0], pair[1]]).collect();
    }
    Ok((pixels, width, height))
}

#[cfg(test)]
mod tests {
    use super::pixels;
    use staysail_protocol::limits::{CLIPBOARD_IMAGE_SIDE_MAX, ICON_SIDE_MAX};

    fn picture(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgba);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&vec![7; (width * height * 4) as usize]).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn a_picture_of_the_whole_screen_is_no_icon_but_has_its_place_in_the_clipboard() {
        let screen = picture(1_920, 1_080);
        let refused = pixels(&screen, "icon", ICON_SIDE_MAX).unwrap_err();
        assert_eq!(refused, "the icon is 1920 × 1080 pixels; at most 1024 × 1024 are read");
        let (read, width, height) = pixels(&screen, "image", CLIPBOARD_IMAGE_SIDE_MAX).unwrap();
        assert_eq!((read.len(), width, height), (1_920 * 1_080 * 4, 1_920, 1_080));
        let refused = pixels(b"GIF89a", "image", CLIPBOARD_IMAGE_SIDE_MAX).unwrap_err();
        assert!(refused.starts_with("the image is no PNG"), "{refused}");
    }
}
