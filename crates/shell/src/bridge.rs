//! Requests from pages: who asks, may they, and where does the request go.
//!
//! The way of one call: [`handle`] (on the thread of the window) → [`Router::submit`](crate::router::Router) →
//! worker → [`Conductor`](crate::conductor) reads the answer → `Router::answered` → [`Responder`].

use crate::desktop;
use crate::desktop::power::Wishes;
use crate::pages::Visitor;
use crate::payload::Payload;
use crate::responder::Responder;
use crate::router::{Call, Caller, OnSend};
use crate::shell::Shell;
use serde_json::value::RawValue;
use staysail_protocol::bridge::{PageReport, Welcome, What, split};
use staysail_protocol::desktop::features::UPDATE_FOLLOW;
use staysail_protocol::limits::PAGE_STATE_BYTES_MAX;
use staysail_protocol::worker::UpdateWish;
use staysail_protocol::{CallError, ErrorCode};
use std::sync::Arc;

/// Takes one request of the page in `window`. `origin` is the page's current origin, where the platform tells it.
pub fn handle(shell: &Arc<Shell>, window: &str, origin: Option<&str>, bytes: Vec<u8>, responder: Responder) {
    if let Some(origin) = origin
        && !shell.is_allowed_origin(window, origin)
    {
        tracing::warn!(window, origin, "a page of a foreign origin tried to call; refused");
        return responder.failure(&denied("this origin may not call"));
    }
    let (request, skip) = match split(&bytes) {
        Ok((request, payload)) => (request, bytes.len() - payload.len()),
        Err(error) => return responder.failure(&CallError::new(ErrorCode::BadMessage, error)),
    };
    let payload = Payload::after(bytes, skip);
    if request.what == What::Hello {
        return hello(shell, window, &request.k, responder);
    }
    let Some(visitor) = shell.pages.visitor(window, &request.k) else {
        return responder.failure(&denied("the key is not that of the page shown in this window"));
    };
    let caller = |number| Caller { window: visitor.window.clone(), generation: visitor.generation, number };
    let done = |responder: Responder| responder.success(b"null".to_vec(), false);
    match request.what {
        What::Hello => {}
        What::Call { c, .. } if !shell.granted(window, |granted| granted.command(&c)) => {
            responder.failure(&denied(&format!(
                "the page of window `{window}` may not call `{c}`; to let it, add it to `commands` of \
                 [[capabilities]] in staysail.toml"
            )));
        }
        What::Call { i, c, raw, ch } => {
            let streams: Vec<u64> = ch.split(',').filter_map(|number| number.parse().ok()).collect();
            if let Err(error) = shell.streams.open(&visitor, &streams) {
                return responder.failure(&error);
            }
            let on_send = (!streams.is_empty()).then(|| on_send(shell, &visitor, streams.clone()));
            let (shell_then, visitor_then) = (shell.clone(), visitor.clone());
            shell.router.submit(Call {
                caller: caller(i),
                epoch: visitor.epoch,
                command: c,
                raw,
                arguments: payload,
                on_send,
                // The answer to a page that is gone is dropped here, never kept for the next one.
                reply: Box::new(move |outcome| {
                    if let Err(error) = &outcome {
                        shell_then.streams.refuse(&visitor_then, &streams, error);
                    }
                    if shell_then.pages.is_current(&visitor_then) {
                        responder.finish(outcome);
                    }
                }),
            });
        }
        What::Pull { ch } => shell.streams.pull(&visitor, ch, responder),
        What::Push { ch, raw, end } => {
            shell.streams.push(&visitor, ch, (!end).then_some(payload), raw, responder);
        }
        What::Drop { ch } => {
            shell.streams.drop_stream(&visitor, ch);
            done(responder);
        }
        What::Cancel { i } => {
            shell.router.cancel(&caller(i));
            done(responder);
        }
        What::Emit { e } if e.starts_with("staysail:") => {
            responder.failure(&denied("events named staysail:… are Staysail's own"));
        }
        What::Emit { e } => {
            shell.router.emit(e, visitor.window.clone(), payload.to_vec());
            done(responder);
        }
        What::Desktop { f, a } => {
            let (shell_then, payload) = (shell.clone(), payload.to_vec());
            let (arguments, body) =
                if a.is_empty() { (payload, None) } else { (a.into_bytes(), Some(payload)) };
            desktop::begin(shell, async move {
                let outcome = desktop::answer_page(&shell_then, visitor.clone(), &f, &arguments, body).await;
                if shell_then.pages.is_current(&visitor) {
                    responder.finish(outcome);
                }
            });
        }
        What::Next => shell.pages.next(&visitor, responder),
        What::KeepState if payload.len() > PAGE_STATE_BYTES_MAX => responder.failure(&CallError::new(
            ErrorCode::TooLarge,
            format!(
                "the page's state exceeds {PAGE_STATE_BYTES_MAX} bytes (page_state_bytes_max); it is not kept"
            ),
        )),
        What::KeepState => match parse::<Box<RawValue>>(&payload) {
            Ok(state) => {
                shell.pages.keep(&visitor, Some(state));
                done(responder);
            }
            Err(error) => responder.failure(&error),
        },
        What::Ready => {
            shell.pages.ready(&visitor);
            shell.application.page_ready(shell, &visitor.window);
            shell.observe(|observer| observer.page_ready(&visitor.window, visitor.generation));
            done(responder);
        }
        What::Report => match parse::<PageReport>(&payload) {
            Ok(report) => {
                if report.kind == "boot" {
                    shell.pages.boot_failed(&visitor, &report.message);
                }
                shell.observe(|observer| observer.page_report(&report));
                done(responder);
            }
            Err(error) => responder.failure(&error),
        },
        What::Update => match parse::<UpdateWish>(&payload) {
            Ok(UpdateWish::Follow { .. } | UpdateWish::Pin { .. } | UpdateWish::DownloadRate { .. })
                if !shell.granted(window, |granted| granted.feature(UPDATE_FOLLOW)) =>
            {
                responder.failure(&denied(&format!(
                    "the page of window `{window}` may not choose what updates it follows or how fast they come; to let it, add \"{UPDATE_FOLLOW}\" \
                     to `allow` of [[capabilities]] in staysail.toml"
                )));
            }
            Ok(wish) => {
                shell.observe(|observer| observer.update_wish(wish));
                done(responder);
            }
            Err(error) => responder.failure(&error),
        },
        What::StartFresh => {
            shell.observe(|observer| observer.start_fresh());
            done(responder);
        }
        What::RetryBackend => {
            let shell_then = shell.clone();
            shell.runtime.spawn(async move { shell_then.conductor.retry(&shell_then).await });
            done(responder);
        }
    }
}

/// Binds the streams of a call to the worker it goes to.
fn on_send(shell: &Arc<Shell>, visitor: &Visitor, streams: Vec<u64>) -> OnSend {
    let (all, visitor) = (shell.streams.clone(), visitor.clone());
    Box::new(move |call, worker, is_sent| {
        if is_sent {
            all.bound(&visitor, &streams);
        } else {
            all.bind(&visitor, &streams, call, worker.id, &worker.link);
        }
    })
}

fn hello(shell: &Arc<Shell>, window: &str, secret: &str, responder: Responder) {
    let Some((key, generation, state)) = shell.pages.hello(window, secret, &shell.router) else {
        return responder.failure(&denied("the secret is not this window's"));
    };
    shell.bodies.forget(window);
    shell.streams.forget(window);
    Wishes::forget_page(shell, window, generation);
    let facts = shell.facts();
    let welcome = Welcome {
        key,
        generation,
        window: window.to_string(),
        config: facts.config,
        version: facts.version,
        state,
        overlay: shell.overlay(),
        update: shell.update_story(),
    };
    tracing::debug!(window, generation, "a page said hello");
    responder.success(serde_json::to_vec(&welcome).unwrap_or_default(), false);
}

fn denied(why: &str) -> CallError {
    CallError::new(ErrorCode::Denied, why)
}

fn parse<'a, T: serde::Deserialize<'a>>(payload: &'a [u8]) -> Result<T, CallError> {
    serde_json::from_slice(payload)
        .map_err(|error| CallError::new(ErrorCode::BadMessage, format!("unreadable payload: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::without_windows;
    use crate::shell::{Facts, Observer};
    use serde_json::{Value, json};
    use staysail_protocol::capability::Capability;
    use staysail_protocol::manifest::ModeConfig;
    use staysail_protocol::notice::{Difference, UpdateEvent};
    use std::sync::{Mutex, mpsc};

    #[derive(Default)]
    struct Wished(Mutex<Vec<UpdateWish>>);

    impl Observer for Wished {
        fn update_wish(&self, wish: UpdateWish) {
            self.0.lock().unwrap().push(wish);
        }
    }

    /// A shell whose window `settings` may choose what is followed, and no other.
    fn shell(runtime: &tokio::runtime::Runtime) -> (Arc<Shell>, Arc<Wished>) {
        let one = Capability {
            windows: vec!["settings".into()],
            allow: vec![UPDATE_FOLLOW.into()],
            ..Capability::default()
        };
        let config = ModeConfig { capabilities: vec![one], ..ModeConfig::default() };
        let facts = Facts { config, ..Facts::default() };
        let shell = Shell::new(without_windows().1, runtime.handle().clone(), facts);
        let wished = Arc::<Wished>::default();
        shell.set_observer(wished.clone());
        (shell, wished)
    }

    /// The answer to a request that is answered at once: its mark, and the rest.
    fn ask(shell: &Arc<Shell>, window: &str, request: &str) -> (char, Value) {
        let (send, answer) = mpsc::channel();
        let responder = Responder::new(move |reply| send.send(reply.into_text()).unwrap());
        handle(shell, window, None, request.as_bytes().to_vec(), responder);
        let text = answer.try_recv().unwrap();
        (char::from(text[0]), serde_json::from_slice(&text[1..]).unwrap())
    }

    fn hello(shell: &Arc<Shell>, window: &str) -> Value {
        let secret = shell.pages.open(window);
        ask(shell, window, &json!({ "k": secret, "t": "hello" }).to_string()).1
    }

    #[test]
    fn only_pages_that_may_choose_what_updates_follow_and_every_page_may_wish_for_one() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (shell, wished) = shell(&runtime);
        let mut wishes = Vec::new();
        for window in ["main", "settings"] {
            let key = hello(&shell, window)["key"].as_str().unwrap().to_owned();
            for wish in [
                json!({"follow": {"channel": "beta"}}),
                json!({"pin": {"version": null}}),
                json!({"download_rate": {"bytes_per_s_max": 1}}),
                json!("check"),
            ] {
                let (mark, answer) =
                    ask(&shell, window, &format!("{}\n{wish}", json!({ "k": key, "t": "update" })));
                let refused = window == "main" && wish != "check";
                assert_eq!(mark == '-', refused, "{window} {wish}: {answer}");
                match refused {
                    true => assert!(answer["message"].as_str().unwrap().contains("\"update.follow\"")),
                    false => wishes.push(serde_json::from_value(wish).unwrap()),
                }
            }
        }
        assert_eq!(*wished.0.lock().unwrap(), wishes);
        assert_eq!(wishes.len(), 5);
    }

    #[test]
    fn pages_hear_that_answers_differed_and_not_in_what() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (shell, _) = shell(&runtime);
        let difference = |text: &str| Difference {
            command: "secrets".into(),
            path: "/0".into(),
            before: text.into(),
            now: String::new(),
        };
        shell.tell_of_update(&UpdateEvent::Available {
            version: "1.1.0".into(),
            notes: String::new(),
            bytes: 1,
        });
        shell.tell_of_update(&UpdateEvent::Compared {
            version: "1.1.0".into(),
            passed: false,
            reason: "one differs".into(),
            calls: 1,
            different: 1,
            differences: vec![difference("a user's own words")],
            report: Some("/somewhere/report.json".into()),
        });
        let told = hello(&shell, "main")["update"].to_string();
        assert!(
            told.contains("one differs") && !told.contains("own words") && !told.contains("/somewhere"),
            "{told}"
        );
    }

    #[test]
    fn a_page_that_comes_up_hears_with_its_hello_where_the_update_under_way_is() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (shell, _) = shell(&runtime);
        assert_eq!(hello(&shell, "main")["update"], json!([]));
        shell.tell_of_update(&UpdateEvent::Staged { version: "1.1.0".into() });
        let there = json!([{ "kind": "staged", "version": "1.1.0" }]);
        assert_eq!(hello(&shell, "settings")["update"], there);
        shell.tell_of_update(&UpdateEvent::Committed { version: "1.1.0".into() });
        assert_eq!(hello(&shell, "help")["update"], json!([]));
    }
}
