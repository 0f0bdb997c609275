//! A worker that does not keep to what was agreed upon.

use super::*;
use crate::responder::Reply;
use staysail_link::Socket;
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
    streams.open(&visitor, &[1, 2]).unwrap();
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

fn push(streams: &Streams, visitor: &Visitor, stream: u64, bytes: Option<usize>) -> Receiver<String> {
    let (told, answer) = channel();
    let responder = Responder::new(move |reply: Reply| {
        let _ = told.send(String::from_utf8_lossy(&reply.into_text()).into_owned());
    });
    let body = bytes.map(|bytes| Payload::after(vec![0; bytes], 0));
    streams.push(visitor, stream, body, true, responder);
    answer
}

#[tokio::test]
async fn a_page_has_only_so_many_streams_and_one_that_is_dropped_makes_room() {
    let (streams, visitor, _other_end) = bound();
    let more: Vec<u64> = (3..=CHANNELS_MAX as u64).collect();
    streams.open(&visitor, &more).unwrap();
    let error = streams.open(&visitor, &[9_999]).unwrap_err();
    assert_eq!(error.code, ErrorCode::QueueFull);
    assert!(error.message.contains("channels_max"), "{}", error.message);
    let other = Visitor { window: "other".into(), ..visitor.clone() };
    streams.open(&other, &[1]).unwrap();
    streams.drop_stream(&visitor, 3);
    streams.open(&visitor, &[9_999]).unwrap();
}

#[tokio::test]
async fn messages_of_a_page_wait_up_to_a_limit_of_bytes_and_a_single_one_always_may() {
    let (streams, visitor, _other_end) = bound();
    streams.open(&visitor, &[3, 4]).unwrap();
    let first = push(&streams, &visitor, 3, Some(CHANNEL_PUSH_BYTES_MAX + 1));
    assert!(first.try_recv().is_err(), "it waits to be taken");
    let second = push(&streams, &visitor, 4, Some(1)).try_recv().unwrap();
    assert!(second.contains("QueueFull") && second.contains("channel_push_bytes_max"), "{second}");
    streams.drop_stream(&visitor, 3);
    assert!(push(&streams, &visitor, 4, Some(1)).try_recv().is_err(), "there is room again");
}

#[tokio::test]
async fn ends_that_are_told_over_and_over_before_the_call_is_sent_do_not_pile_up() {
    let (streams, visitor, _other_end) = bound();
    streams.open(&visitor, &[3]).unwrap();
    let answers: Vec<String> =
        (0..CHANNEL_PUSHES_MAX * 2).map(|_| push(&streams, &visitor, 3, None).try_recv().unwrap()).collect();
    assert!(answers.last().unwrap().contains("channel_pushes_max"), "{answers:?}");
    assert_eq!(streams.inner().streams[&key(&visitor, 3)].early.len(), CHANNEL_PUSHES_MAX + 1);
}

#[tokio::test]
async fn streams_of_a_call_that_reached_no_worker_are_over_with_its_error() {
    let (streams, visitor, _other_end) = bound();
    streams.open(&visitor, &[3, 4]).unwrap();
    let (pulled, pushed) = (pull(&streams, &visitor, 3), push(&streams, &visitor, 4, Some(1)));
    let error = CallError::new(ErrorCode::QueueFull, "too many wait");
    streams.refuse(&visitor, &[1, 2, 3, 4], &error);
    assert!(pulled.try_recv().unwrap().contains("QueueFull"));
    assert!(pushed.try_recv().unwrap().contains("QueueFull"));
    // Those a worker has are ended by it.
    assert_eq!(streams.count(), 2);
}
