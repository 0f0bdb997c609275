//! What the router refuses, and what it lets wait.

use super::*;
use std::sync::mpsc::{Receiver, channel};

fn call(number: u64, epoch: u64, bytes: usize) -> (Call, Receiver<Outcome>) {
    let (told, answer) = channel();
    let call = Call {
        caller: Caller { window: "main".into(), generation: 1, number },
        epoch,
        command: "pay".into(),
        raw: true,
        arguments: Payload::after(vec![0; bytes], 0),
        on_send: None,
        reply: Box::new(move |outcome| drop(told.send(outcome))),
    };
    (call, answer)
}

fn submit(router: &Router, epoch: u64, bytes: usize) -> Receiver<Outcome> {
    let (call, answer) = call(1, epoch, bytes);
    router.submit(call);
    answer
}

/// The error a call was refused with; none when it was taken.
fn refused(answer: &Receiver<Outcome>) -> Option<CallError> {
    answer.try_recv().ok().and_then(Result::err)
}

#[tokio::test]
async fn a_call_of_a_page_of_the_interface_before_is_refused_and_reaches_no_worker() {
    let router = Router::default();
    let (old, _old_end) = Worker::of_test(1);
    let (new, _new_end) = Worker::of_test(2);
    router.switch(old, false);
    router.switch(new, true);
    assert_eq!(refused(&submit(&router, 0, 1)).unwrap().code, ErrorCode::PageGone);
    assert_eq!((router.in_flight(1), router.in_flight(2)), (0, 0), "it was executed all the same");
    assert!(refused(&submit(&router, 1, 1)).is_none());
    assert_eq!((router.in_flight(1), router.in_flight(2)), (0, 1));
}

#[tokio::test]
async fn a_call_that_waits_goes_to_the_next_worker_unless_that_one_has_another_interface() {
    for (new_interface, executed) in [(false, 1), (true, 0)] {
        let router = Router::default();
        let (worker, _end) = Worker::of_test(1);
        let answer = submit(&router, 0, 1);
        router.switch(worker, new_interface);
        assert_eq!(router.in_flight(1), executed);
        let code = refused(&answer).map(|error| error.code);
        assert_eq!(code, new_interface.then_some(ErrorCode::PageGone));
    }
}

#[test]
fn more_calls_than_may_wait_are_refused_and_events_beyond_them_are_counted() {
    let router = Router::default();
    let waiting: Vec<_> = (0..SWAP_QUEUE_CALLS_MAX).map(|_| submit(&router, 0, 0)).collect();
    assert!(waiting.iter().all(|answer| refused(answer).is_none()));
    let error = refused(&submit(&router, 0, 0)).unwrap();
    assert_eq!(error.code, ErrorCode::QueueFull);
    assert!(error.message.contains("swap_queue_calls_max"), "{}", error.message);
    for _ in 0..2 {
        router.emit("moved".into(), "main".into(), Vec::new());
    }
    assert_eq!(router.inner().events_lost, 2);
    router.give_up("no backend");
    assert_eq!(router.inner().events_lost, 0, "told, and counted from the start again");
}

#[test]
fn more_bytes_than_may_wait_are_refused_and_small_calls_wait_on() {
    let router = Router::default();
    let large = SWAP_QUEUE_BYTES_MAX / 2 + 1;
    let first = submit(&router, 0, large);
    let error = refused(&submit(&router, 0, large)).unwrap();
    assert_eq!(error.code, ErrorCode::QueueFull);
    assert!(error.message.contains("swap_queue_bytes_max"), "{}", error.message);
    router.emit("moved".into(), "main".into(), vec![0; large]);
    assert_eq!(router.inner().events_lost, 1);
    assert!(refused(&submit(&router, 0, 1)).is_none() && refused(&first).is_none());
}

#[tokio::test]
async fn calls_under_way_are_limited_in_the_active_worker_and_another_one_s_do_not_count() {
    let router = Router::default();
    let (worker, _end) = Worker::of_test(1);
    let (next, _next_end) = Worker::of_test(2);
    router.switch(worker.clone(), false);
    router.inner().active_calls = CALLS_IN_FLIGHT_MAX - 1;
    let last = submit(&router, 0, 0);
    let error = refused(&submit(&router, 0, 0)).unwrap();
    assert_eq!(error.code, ErrorCode::QueueFull);
    assert!(error.message.contains("calls_in_flight_max"), "{}", error.message);
    router.answered(1, 1, Ok((Vec::new(), true)));
    assert!(last.try_recv().unwrap().is_ok());
    assert!(refused(&submit(&router, 0, 0)).is_none(), "an answer makes room");
    // Counted anew; the one under way in the worker before is not the next one's.
    router.switch(next, false);
    assert_eq!(router.inner().active_calls, 0);
    router.switch(worker, false);
    assert_eq!(router.inner().active_calls, 1);
}
