//! A worker that does not keep to what was agreed upon.

use super::*;
use crate::responder::Reply;
use staysail_link::Socket;
use staysail_protocol::limits::CHANNEL_LARGE_WINDOW_BYTES;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

const WORKER: u64 = 1;
const CALL: u64 = 9;

/// Streams 1 and 2 of a page, bound to a call in a worker.
fn bound() -> (Streams, Visitor, UnixStream) {
    let (socket, other_end) = UnixStream::pair().unwrap();
    let link = Link::writing(Arc::new(Socket::new(socket).unwrap()));
    let visitor = Visitor { window: "main".into(), generation: 1, epoch: 0 };
    let streams = Streams::default();
    streams.open(&visitor, &[1, 2]);
    streams.bind(&visitor, &[1, 2], CALL, WORKER, &link);
    streams.bound(&visitor, &[1, 2]);
    (streams, visitor, other_end)
}

fn pull(streams: &Streams, visitor: &Visitor, stream: u64) -> Receiver<String> {
    let (told, answer) = channel();
    let responder = Responder::new(move |reply: Reply| {
        let _ = told.send(String::from_utf8_lossy(&reply.into_text()).into_owned());
    });
    streams.pull(visitor, stream, responder);
    answer
}

#[tokio::test]
async fn a_worker_that_overfills_a_stream_loses_it_and_nothing_grows() {
    let (streams, visitor, _other_end) = bound();
    let message = vec![b'1'; 1 << 20];
    for _ in 0..64 {
        streams.message(WORKER, CALL, 1, message.clone(), false);
        let inner = streams.inner();
        let waiting: usize = inner.streams.values().map(|open| open.down_bytes).sum();
        assert!(waiting <= CHANNEL_LARGE_WINDOW_BYTES, "{waiting} bytes wait");
    }
    let answer = pull(&streams, &visitor, 1).try_recv().unwrap();
    assert!(answer.contains("TooLarge") && answer.contains("channel_window_bytes"), "{answer}");
    // The other stream of the same call is as it was.
    streams.message(WORKER, CALL, 2, b"7".to_vec(), false);
    assert_eq!(pull(&streams, &visitor, 2).try_recv().unwrap(), "+[7]");
}

#[tokio::test]
async fn messages_of_another_worker_or_for_another_call_reach_no_page() {
    let (streams, visitor, _other_end) = bound();
    let answer = pull(&streams, &visitor, 1);
    streams.message(WORKER + 1, CALL, 1, b"\"forged\"".to_vec(), false);
    streams.message(WORKER, CALL + 1, 1, b"\"forged\"".to_vec(), false);
    streams.ended(WORKER + 1, CALL, 1, None);
    assert!(answer.try_recv().is_err(), "a stream was written by somebody else");
    streams.message(WORKER, CALL, 1, b"\"own\"".to_vec(), false);
    assert_eq!(answer.try_recv().unwrap(), "+[\"own\"]");
}
