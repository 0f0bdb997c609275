//! Raw bytes, which never become JSON.

use staysail::{Bytes, command};

// #region invert
/// Turns the colours of an image around: red, green, blue and alpha, a byte each.
#[command]
pub fn invert(mut pixels: Bytes) -> Bytes {
    for pixel in pixels.0.chunks_exact_mut(4) {
        pixel[..3].iter_mut().for_each(|colour| *colour = 255 - *colour);
    }
    pixels
}
// #endregion

// #region echo
/// Sends the bytes back.
#[command]
pub fn echo(bytes: Bytes) -> Bytes {
    bytes
}
// #endregion

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_turned_around_and_alpha_stays() {
        assert_eq!(invert(Bytes(vec![255, 0, 100, 200])).0, [0, 255, 155, 200]);
    }
}
