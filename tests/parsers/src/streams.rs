//! Frames cut out of streams: every cut of the stream yields the same frames, and what was cut out is what was put in.

use crate::wire;
use staysail_protocol::frame::Decoder;
use std::cell::Cell;
use std::convert::Infallible;

/// `staysail_protocol::frame`. The first byte says in which pieces the rest arrives.
pub fn frame(bytes: &[u8]) -> bool {
    let Some((step, bytes)) = bytes.split_first() else { return false };
    let cut = |step: usize| {
        let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
        for piece in bytes.chunks(step) {
            decoder.extend(piece);
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => return (frames, Some(error)),
                }
            }
        }
        (frames, None)
    };
    let whole = cut(bytes.len().max(1));
    assert_eq!(cut(usize::from(*step).max(1)), whole, "the pieces of the stream made a difference");
    let mut again = Vec::new();
    for frame in &whole.0 {
        frame.encode_into(&mut again).expect("a frame that was read is within the limits");
    }
    assert!(bytes.starts_with(&again), "a frame is not what its bytes were");
    !whole.0.is_empty()
}

/// `crates/shell/port/wire.rs`. The first byte says how much a read hands out.
pub fn wire(bytes: &[u8]) -> bool {
    let Some((step, bytes)) = bytes.split_first() else { return false };
    // A socket that has so much at a time, and then nothing for now.
    let (rest, mut empty_handed) = (Cell::new(bytes), false);
    let mut read = |into: &mut [u8]| {
        empty_handed = !empty_handed;
        if empty_handed || rest.get().is_empty() {
            return Ok::<_, Infallible>(None);
        }
        let count = usize::from(*step).max(1).min(rest.get().len()).min(into.len());
        let (now, later) = rest.get().split_at(count);
        into[..count].copy_from_slice(now);
        rest.set(later);
        Ok(Some(count))
    };
    let (mut reader, mut again, mut taken) = (wire::Reader::default(), Vec::new(), 0);
    // Each empty-handed read is followed by one that is not, as long as there is something.
    while !rest.get().is_empty() {
        match reader.next(&mut read) {
            Ok(Some(frame)) => {
                assert!(frame.body.len() <= wire::BODY_BYTES_MAX);
                again.extend(wire::head(frame.kind, frame.port, frame.ticket, frame.body.len()));
                again.extend(frame.body);
                taken += 1;
            }
            Ok(None) => {}
            Err(_) => break,
        }
    }
    assert!(bytes.starts_with(&again), "a frame is not what its bytes were");
    taken > 0
}
