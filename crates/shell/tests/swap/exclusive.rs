//! A port that one worker at a time listens on: handed over, given back, and held by a living worker whoever is killed.

use crate::roles::{get_stuck, is_ill, say};
use crate::theatre::{PATIENCE, Test, Theatre, kill, wait};
use serde_json::json;
use staysail::{App, AppHandle, Exclusive, Held, command, commands};
use staysail_shell::conductor::SwapOptions;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("a client that tries again is served through one exchange after the other", served_throughout),
    ("a new worker that can not acquire is not taken over and the port is given back", given_back),
    ("a port that is not released in order stays where it is", not_released),
    ("a port that a call uses is not taken away from it", in_use),
    ("a port goes back with the worker before when the new one falls ill", goes_back),
    ("a worker killed while it releases leaves the port to the new one", killed_releasing),
    ("a worker killed while it acquires leaves the port to the one before", killed_acquiring),
    ("a port is held again after a kill on probation and after it", killed_later),
    ("without the port nothing is taken over at the first start", never_to_be_had),
    ("a port that another program took is not the new worker's fault", taken_by_another),
    ("starting fresh ends a worker that does not release its port", fresh_all_the_same),
    ("a port held by hooks is let go of before it is declared, and taken again", held_by_hooks),
];

/// Which process answers at the port.
fn answering(theatre: &Theatre) -> Option<u32> {
    let port = std::fs::read_to_string(theatre.folder.join("port")).ok()?;
    let mut stream = TcpStream::connect(("127.0.0.1", port.parse().ok()?)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.parse().ok()
}

fn assert_answers(theatre: &Theatre) {
    assert_eq!(answering(theatre), Some(theatre.process()), "the worker that serves has the port");
}

fn served_throughout() {
    let theatre = Arc::new(Theatre::open());
    theatre.swap("port").unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let (client_theatre, client_over) = (theatre.clone(), over.clone());
    let client = std::thread::spawn(move || {
        let mut answers = Vec::new();
        while !client_over.load(Ordering::SeqCst) {
            answers.push(wait("an answer at the port", || answering(&client_theatre)));
        }
        answers
    });
    let mut processes = BTreeSet::new();
    for _ in 0..10 {
        theatre.swap("port").unwrap();
        processes.insert(theatre.process());
        assert_answers(&theatre);
    }
    over.store(true, Ordering::SeqCst);
    let answers = client.join().unwrap();
    assert!(answers.len() >= processes.len(), "{} answers", answers.len());
}

fn given_back() {
    let theatre = Theatre::open();
    theatre.swap("port").unwrap();
    let before = theatre.process();
    let refusal = theatre.swap("port-refusing").err().unwrap();
    assert!(!refusal.of_state && !refusal.of_others, "{}", refusal.reason);
    assert!(refusal.reason.contains("could not acquire `port`: no luck"), "{}", refusal.reason);
    assert_eq!(theatre.process(), before);
    assert_answers(&theatre);
    assert_eq!(theatre.call("port", json!({})).unwrap(), json!(true), "its commands have it again");
    theatre.swap("port").unwrap();
    assert_answers(&theatre);
}

fn not_released() {
    let theatre = Theatre::open();
    theatre.swap("port-failing-release").unwrap();
    let refusal = theatre.swap("port").err().unwrap();
    assert!(refusal.of_others && refusal.reason.contains("`port`: not in order"), "{}", refusal.reason);
    assert_answers(&theatre);
}

fn in_use() {
    let theatre = Theatre::open();
    theatre.swap("port").unwrap();
    let call = theatre.begin_call("use_port", json!({ "until": "enough" }));
    theatre.wait_said("using");
    let refusal = theatre.swap("port").err().unwrap();
    assert!(refusal.of_others && refusal.reason.contains("exclusive_in_use_ms"), "{}", refusal.reason);
    assert_answers(&theatre);
    std::fs::write(theatre.folder.join("enough"), "").unwrap();
    assert_eq!(call.recv_timeout(PATIENCE).expect("an answer").unwrap(), json!(true));
    theatre.swap("port").unwrap();
    assert_answers(&theatre);
}

fn goes_back() {
    let theatre = Theatre::open();
    theatre.swap("port").unwrap();
    let before = theatre.process();
    let switched = theatre.swap("port").unwrap();
    assert_answers(&theatre);
    theatre.call("fall_ill", json!({})).unwrap();
    theatre.verdict(switched).unwrap_err();
    assert_eq!(theatre.process(), before);
    assert_answers(&theatre);
}

fn killed_releasing() {
    let theatre = Theatre::open();
    theatre.swap("port-stuck-releasing").unwrap();
    let swap = theatre.begin_swap("port");
    kill(theatre.wait_said("stuck"));
    swap.recv_timeout(PATIENCE).expect("an end of the swap").unwrap();
    assert_answers(&theatre);
}

fn killed_acquiring() {
    let theatre = Theatre::open();
    theatre.swap("port").unwrap();
    let before = theatre.process();
    let swap = theatre.begin_swap("port-stuck-acquiring");
    kill(theatre.wait_said("stuck"));
    let refusal = swap.recv_timeout(PATIENCE).expect("an end of the swap").err().unwrap();
    assert!(refusal.reason.contains("it ended"), "{}", refusal.reason);
    assert_eq!(theatre.process(), before);
    assert_answers(&theatre);
}

fn killed_later() {
    let theatre = Theatre::open();
    theatre.swap("port").unwrap();
    let before = theatre.process();
    let switched = theatre.swap("port").unwrap();
    kill(theatre.process());
    theatre.verdict(switched).unwrap_err();
    assert_eq!(theatre.process(), before);
    assert_answers(&theatre);
    // Nobody is left to return to: it is started again.
    kill(before);
    let next = wait("another worker", || {
        theatre.shell.router.active().map(|worker| worker.process()).filter(|process| *process != before)
    });
    assert_eq!(answering(&theatre), Some(next));
}

fn never_to_be_had() {
    let theatre = Theatre::open();
    let refusal = theatre.swap("port-refusing").err().unwrap();
    assert!(refusal.of_others && refusal.reason.contains("no luck"), "{}", refusal.reason);
    assert!(theatre.shell.router.active().is_none());
}

fn taken_by_another() {
    let theatre = Theatre::open();
    theatre.swap("port").unwrap();
    let swap = theatre.begin_swap("port-late");
    theatre.wait_said("released");
    let port: u16 = std::fs::read_to_string(theatre.folder.join("port")).unwrap().parse().unwrap();
    let other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::fs::write(theatre.folder.join("taken"), "").unwrap();
    let refusal = swap.recv_timeout(PATIENCE).expect("an end of the swap").err().unwrap();
    assert!(
        refusal.of_others && refusal.reason.contains("did not get its resources back"),
        "{}",
        refusal.reason
    );
    drop(other);
}

fn fresh_all_the_same() {
    let theatre = Theatre::open();
    theatre.swap("port-failing-release").unwrap();
    assert!(theatre.swap("port").is_err(), "it does not let go");
    theatre.swap_with("port", SwapOptions { fresh: true, at_switch: None }).unwrap();
    assert_answers(&theatre);
}

fn held_by_hooks() {
    let theatre = Theatre::open();
    theatre.swap("port-by-hooks").unwrap();
    wait("the port", || answering(&theatre));
    assert!(theatre.swap("port-refusing").is_err());
    assert_eq!(wait("the port again", || answering(&theatre)), theatre.process());
    theatre.swap("port").unwrap();
    assert_answers(&theatre);
}

/// How a role treats its port.
const WELL: u8 = 0;
const REFUSING: u8 = 1;
const FAILING_RELEASE: u8 = 2;
const STUCK_RELEASING: u8 = 3;
const STUCK_ACQUIRING: u8 = 4;
const LATE: u8 = 5;

/// Answers each connection with the number of its process. The first chooses the port, all others take the same.
struct Port<const HOW: u8> {
    listener: TcpListener,
    over: Arc<AtomicBool>,
    answering: JoinHandle<()>,
}

impl<const HOW: u8> Exclusive for Port<HOW> {
    const NAME: &'static str = "port";
    type Error = String;

    fn acquire(app: &AppHandle) -> Result<Self, String> {
        match HOW {
            REFUSING => return Err("no luck".into()),
            STUCK_ACQUIRING => get_stuck("stuck"),
            LATE => {
                say("released");
                wait("somebody to take the port", || app.data_dir().join("taken").exists().then_some(()));
            }
            _ => {}
        }
        Self::listen(&app.data_dir().join("port")).map_err(|error| error.to_string())
    }

    fn release(self) -> Result<(), String> {
        if HOW == STUCK_RELEASING {
            get_stuck("stuck");
        }
        self.over.store(true, Ordering::SeqCst);
        let address = self.listener.local_addr().map_err(|error| error.to_string())?;
        // Wakes the thread that waits for the next connection.
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(5));
        self.answering.join().map_err(|_| "the thread that answers panicked")?;
        if HOW == FAILING_RELEASE { Err("not in order".into()) } else { Ok(()) }
    }
}

impl<const HOW: u8> Port<HOW> {
    fn listen(place: &Path) -> std::io::Result<Self> {
        let port = std::fs::read_to_string(place).ok().and_then(|port| port.parse().ok()).unwrap_or(0);
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        std::fs::write(place, listener.local_addr()?.port().to_string())?;
        let (over, waiting) = (Arc::new(AtomicBool::new(false)), listener.try_clone()?);
        let is_over = over.clone();
        let answering = std::thread::spawn(move || {
            for stream in waiting.incoming().flatten() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let _ = { stream }.write_all(std::process::id().to_string().as_bytes());
            }
        });
        Ok(Self { listener, over, answering })
    }
}

/// Whether a command has the port.
#[command]
fn port(port: Held<Port<WELL>>) -> bool {
    port.listener.local_addr().is_ok()
}

/// Uses the port until a file is there.
#[command]
fn use_port(until: String, port: Held<Port<WELL>>, app: AppHandle) -> bool {
    say("using");
    wait("the test to go on", || app.data_dir().join(&until).exists().then_some(()));
    port.listener.local_addr().is_ok()
}

/// The port of a worker that knows no exclusive resources, only hooks.
static BY_HOOKS: Mutex<Option<Port<WELL>>> = Mutex::new(None);

fn with_hooks() -> App {
    let take = |app: &AppHandle| {
        *BY_HOOKS.lock().unwrap() = Some(Port::acquire(app).expect("the port"));
    };
    let leave = |_: &AppHandle| {
        let port = BY_HOOKS.lock().unwrap().take();
        port.map(Port::release).transpose().expect("an end");
    };
    App::new("dev.staysail.swap").on_activate(take).on_retire(leave)
}

/// Plays a worker with a port, if the role is one.
pub fn play(role: &str) -> bool {
    match role {
        "port" => {
            let app = App::new("dev.staysail.swap").exclusive::<Port<WELL>>();
            run(app.commands(commands![port, use_port, crate::roles::fall_ill]));
        }
        "port-late" => run(App::new("dev.staysail.swap").exclusive::<Port<LATE>>()),
        "port-by-hooks" => run(with_hooks()),
        "port-refusing" => run(App::new("dev.staysail.swap").exclusive::<Port<REFUSING>>()),
        "port-failing-release" => run(App::new("dev.staysail.swap").exclusive::<Port<FAILING_RELEASE>>()),
        "port-stuck-releasing" => run(App::new("dev.staysail.swap").exclusive::<Port<STUCK_RELEASING>>()),
        "port-stuck-acquiring" => run(App::new("dev.staysail.swap").exclusive::<Port<STUCK_ACQUIRING>>()),
        _ => return false,
    }
    true
}

fn run(app: App) {
    let ended = app.health(|| if is_ill() { Err("ill") } else { Ok(()) }).run();
    panic!("the worker ended: {ended:?}");
}
