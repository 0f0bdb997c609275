//! Writes the seeds of the fuzz targets, made of real messages: `cargo run -p staysail-parsers --example seeds`.
//!
//! What a fuzzer found lies beside them under names that begin with `found-`, and is left alone.

#[path = "../../../crates/delta/tests/programs/mod.rs"]
mod programs;

use programs::{Container, Machine, Program, Random};
use serde::Serialize;
use serde_json::json;
use staysail_parsers::wire;
use staysail_protocol::bridge::{Request, What};
use staysail_protocol::capability::Capability;
use staysail_protocol::desktop::menu::MenuItem;
use staysail_protocol::frame::Frame;
use staysail_protocol::interface::{CommandSpec, Description, WindowSpec};
use staysail_protocol::manifest::{Blob, Delta, FileEntry, Manifest, ModeConfig, UpdateSource};
use staysail_protocol::module::{ModuleFile, ModuleLimits};
use staysail_protocol::notice::{UpdateEvent, UpdateNotice};
use staysail_protocol::permission::Permission;
use staysail_protocol::scope::{Access, FileScope};
use staysail_protocol::{CallError, ErrorCode, control, worker};
use staysail_update::archive::{Entry, write_head};
use staysail_update::bundle::{Contents, attach};
use staysail_update::pack;
use std::path::Path;

type Seeds = Vec<(&'static str, Vec<u8>)>;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    for (target, seeds) in [
        ("frame", frame()),
        ("wire", port()),
        ("bridge", bridge()),
        ("worker", to_and_from_worker()),
        ("control", to_and_from_tool()),
        ("describe", describe()),
        ("desktop", desktop()),
        ("capability", capability()),
        ("scope", scope()),
        ("requested", requested()),
        ("inline_scripts", inline_scripts()),
        ("project_file", project_file()),
        ("door", door()),
        ("spoken", spoken()),
        ("start_script", start_script()),
        ("manifest", vec![("release", release().to_bytes()), ("empty", Manifest::default().to_bytes())]),
        ("delta", delta()),
        ("bundle", bundle()),
        ("metadata", staysail_parsers::metadata_seeds()),
        ("expression", expression()),
        ("answers", answers()),
        ("archive", archive()),
    ] {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder).expect("a folder for seeds");
        for (name, bytes) in seeds {
            std::fs::write(folder.join(name), bytes).expect("a seed");
        }
    }
}

fn text(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("JSON")
}

fn door() -> Seeds {
    let token = "07".repeat(32);
    let cookie = format!("Cookie: other=1; staysail-4000={token}");
    let visit = format!("\nHost: 127.0.0.1:4000\n{cookie}\nSec-Fetch-Site: none\nSec-Fetch-Dest: document");
    let socket = format!("tab=1\nHost: localhost:4000\nOrigin: http://localhost:4000\n{cookie}");
    let foreign = format!("\nHost: 127.0.0.1:4000\nOrigin: http://127.0.0.1:5173\n{cookie}");
    let rebound = format!("token={token}\nHost: evil.example:4000\n{cookie}");
    let opening = format!("token={token}\nHost: 127.0.0.1:4000");
    [("visit", visit), ("socket", socket), ("foreign", foreign), ("rebound", rebound), ("opening", opening)]
        .map(|(name, text)| (name, text.into_bytes()))
        .into()
}

fn spoken() -> Seeds {
    let call =
        b"7\n{\"key\":\"k\",\"what\":{\"t\":\"call\",\"n\":1,\"command\":\"add\"}}\n{\"a\":1}".to_vec();
    vec![
        ("call", call),
        ("name", b"0123456789abcdefABCDEF0123456789".to_vec()),
        ("large", b"4294967295\nx".to_vec()),
        ("too_large", b"4294967296\nx".to_vec()),
    ]
}

fn start_script() -> Seeds {
    let page = "<!doctype html><!-- <head> -->\n<html lang=de><HEAD data-x='>'><script>1</script>";
    vec![
        ("page", page.into()),
        ("mark", "\u{feff}<!DOCTYPE html>\n<title>x".into()),
        ("bare", b"<header>x".to_vec()),
        ("open", b"<!-- never ends <head>".to_vec()),
        ("twice", b"<html><script src=\"/__staysail/tab.js\"></script>".to_vec()),
    ]
}

fn frame() -> Seeds {
    let frames = [
        Frame::new(7, &worker::ToWorker::Cancel, Vec::new()),
        Frame::new(1, &worker::ToShell::Answer { raw: true }, vec![0, 10, 255]),
        Frame { call: u64::MAX, head: Vec::new(), body: b"[1,2]".to_vec() },
    ];
    let stream = |step: u8, frames: &[Frame]| {
        let mut bytes = vec![step];
        frames.iter().for_each(|frame| frame.encode_into(&mut bytes).expect("within the limits"));
        bytes
    };
    vec![("one", stream(255, &frames[..1])), ("three", stream(7, &frames))]
}

fn put_frame(bytes: &mut Vec<u8>, kind: wire::Kind, port: u64, ticket: u64, body: &[u8]) {
    bytes.extend(wire::head(kind, port, ticket, body.len()));
    bytes.extend(body);
}

fn port() -> Seeds {
    let mut bytes = vec![5];
    put_frame(&mut bytes, wire::Kind::Hello, 0, 0, b"token");
    put_frame(&mut bytes, wire::Kind::Open, 1, 0, b"main\napp://localhost/");
    put_frame(&mut bytes, wire::Kind::Request, 1, 9, b"{\"k\":\"x\",\"t\":\"next\"}");
    put_frame(&mut bytes, wire::Kind::Raw, 1, 9, b"");
    vec![("session", bytes)]
}

fn bridge() -> Seeds {
    let request = |what, payload: &[u8]| {
        let mut bytes = text(&Request { k: "0123456789abcdef".into(), what });
        bytes.push(b'\n');
        bytes.extend_from_slice(payload);
        bytes
    };
    let call = What::Call { i: 1, c: "greet".into(), raw: false, ch: "1,2".into() };
    let write = What::Desktop { f: "fs.write".into(), a: "{\"path\":\"$DATA/a\"}".into() };
    vec![
        ("hello", text(&Request { k: "secret".into(), what: What::Hello })),
        ("call", request(call, b"{\"name\":\"Ada\"}")),
        ("push", request(What::Push { ch: 3, raw: true, end: false }, &[0, 10, 255])),
        ("desktop", request(write, &[1, 10, 2])),
        ("report", b"{\"kind\":\"error\",\"level\":\"error\",\"message\":\"x is undefined\",\"place\":\"main.js:1:2\"}".to_vec()),
        ("wish", b"{\"defer\":{\"seconds\":60}}".to_vec()),
    ]
}

fn to_and_from_worker() -> Seeds {
    let error = CallError { details: json!({ "line": 3 }), ..CallError::new(ErrorCode::App, "no such note") };
    let attached = Some(worker::Attached { number: 7, bytes: 64 << 20 });
    let config = worker::WorkerConfig { mode: "production".into(), constants: mode().constants };
    let welcome = worker::Welcome { protocol: 1, config, ..worker::Welcome::default() };
    vec![
        ("welcome", text(&worker::ToWorker::Welcome(Box::new(welcome)))),
        ("call", text(&worker::ToWorker::Call { command: "greet".into(), window: "main".into(), raw: true })),
        (
            "update",
            text(&worker::ToWorker::Update(UpdateEvent::Progress {
                version: "1.2.0".into(),
                bytes: 7,
                total: 9,
                left_s: Some(3),
            })),
        ),
        ("restore", text(&worker::ToWorker::Restore { from_version: "1.0.0".into(), attached })),
        ("snapshot", text(&worker::ToShell::Snapshot { attached })),
        (
            "snapshot_failed",
            text(&worker::ToShell::SnapshotFailed { state: "notes".into(), message: "large".into() }),
        ),
        (
            "acquire_failed",
            text(&worker::ToShell::AcquireFailed { resource: "port".into(), message: "taken".into() }),
        ),
        ("failed", text(&worker::ToShell::Failed { error })),
        ("stream", text(&worker::ToShell::Stream { stream: 4, raw: false })),
        ("event", text(&worker::ToShell::Event { name: "saved".into(), window: Some("main".into()) })),
    ]
}

fn to_and_from_tool() -> Seeds {
    let start = control::Start {
        name: "Notes".into(),
        config: mode(),
        description: Some(description()),
        ..control::Start::default()
    };
    let module = ModuleFile {
        name: "rules".into(),
        path: "target/rules.wasm".into(),
        limits: ModuleLimits { fuel_per_call: 1_000, ..ModuleLimits::default() },
    };
    let timing = control::SwapTiming { hello_ms: 2.5, total_ms: 31.0, ..control::SwapTiming::default() };
    vec![
        ("start", text(&control::ToShell::Start(Box::new(start)))),
        (
            "swap",
            text(&control::ToShell::Swap {
                id: 3,
                worker: "target/worker-3".into(),
                fresh: false,
                modules: vec![module],
            }),
        ),
        ("styles", text(&control::ToShell::StylesChanged { paths: vec!["/style.css".into()] })),
        ("done", text(&control::ToTool::SwapDone { id: 3, timing })),
        (
            "lost",
            text(&control::ToTool::WorkerLost {
                reason: "signal 11".into(),
                restarting: true,
                serving: false,
            }),
        ),
    ]
}

fn describe() -> Seeds {
    let notice = UpdateNotice {
        event: "release".into(),
        module: "*".into(),
        version: "1.1.0".into(),
        checksum: "ab".repeat(32),
    };
    vec![
        ("description", text(&description())),
        ("notice", text(&notice)),
        ("event", text(&UpdateEvent::Applied { version: "1.1.0".into(), milliseconds: 12.5 })),
    ]
}

fn description() -> Description {
    let window = WindowSpec { label: "main".into(), title: "Notes".into(), ..WindowSpec::default() };
    let command = CommandSpec { name: "greet".into(), ..CommandSpec::default() };
    Description {
        app: "com.example.notes".into(),
        windows: vec![window],
        commands: vec![command],
        ..Description::default()
    }
}

fn mode() -> ModeConfig {
    let capability = Capability {
        windows: vec!["*".into()],
        allow: vec!["fs.*".into()],
        commands: Some(vec!["save_*".into()]),
        origins: vec!["https://docs.example.com".into()],
        navigate: vec!["https://www.example.com".into()],
        permissions: vec![Permission::Microphone],
        files: vec![FileScope { path: "$DATA/**".into(), access: Access::ReadWrite }],
    };
    let constants = [("api".to_owned(), json!("https://example.com"))].into();
    ModeConfig { capabilities: vec![capability], constants, ..ModeConfig::default() }
}

fn desktop() -> Seeds {
    let request =
        |name: &str, arguments: serde_json::Value| [name.as_bytes(), b"\n", &text(&arguments)].concat();
    let items = vec![MenuItem { id: "save".into(), text: "&Save".into(), ..MenuItem::default() }];
    vec![
        ("clipboard", request("clipboard.write_text", json!({ "text": "ahoy" }))),
        (
            "dialog",
            request(
                "dialog.open",
                json!({ "title": "Open", "filters": [{ "name": "Charts", "extensions": ["kap"] }] }),
            ),
        ),
        ("fs", request("fs.rename", json!({ "from": "$DATA/a", "to": "$DATA/b", "overwrite": true }))),
        ("fs-read", request("fs.read", json!({ "path": "/srv/a", "offset": 5, "length": 6 }))),
        ("menu", request("menu.set", json!({ "items": items }))),
        ("menu-items", request("menu.popup", json!(items))),
        (
            "notification",
            request(
                "notification.show",
                json!({ "title": "Ahoy", "actions": [{ "id": "a", "label": "A" }] }),
            ),
        ),
        ("opener", request("opener.open_url", json!({ "url": "https://example.com" }))),
        (
            "window",
            request(
                "window.set",
                json!({ "label": "main", "change": { "size": [400.5, 300.0], "theme": "dark" } }),
            ),
        ),
        ("window-list", b"window.list".to_vec()),
        ("tray", request("tray.set", json!({ "tooltip": "ahoy" }))),
        ("cookies", request("cookies.get", json!({ "url": "https://example.com" }))),
        ("download", request("download.cancel", json!({ "id": 3 }))),
        ("find", request("find.start", json!({ "text": "ahoy" }))),
        ("page", request("page.print", json!({}))),
        ("power", request("power.keep_awake", json!({ "reason": "a film" }))),
        ("shortcut", request("shortcut.register", json!({ "id": "a", "keys": "CmdOrCtrl+Shift+K" }))),
    ]
}

fn capability() -> Seeds {
    let one = &mode().capabilities[0];
    vec![
        ("json", text(one)),
        ("stars", b"w*.*t*\nwindow.set_title".to_vec()),
        ("group", b"dialog.*\ndialog.open".to_vec()),
    ]
}

fn answers() -> Seeds {
    let rows = "{\"rows\":[{\"id\":1,\"seen\":1.5e3},{\"id\":2,\"a/b\":\"\\u00e4\"}],\"time\":1}";
    let other = "{\"time\":2,\"rows\":[{\"id\":1.0,\"seen\":null},[]]}";
    [
        ("place", format!("/rows/*/seen\n{rows}\n{other}")),
        ("end", format!("look:*/time\n{rows}\n{other}")),
        ("escaped", format!("/rows/1/a~1b\n{rows}\n{{\"rows\":[]}}")),
        ("plain", "time\n0.1\n0.10000000000000002".into()),
        ("no_json", "time\nNaN\n{".into()),
        ("many", format!("x\n{:?}\n[]", [0; 30])),
    ]
    .map(|(name, text)| (name, text.into_bytes()))
    .into()
}

fn expression() -> Seeds {
    vec![
        ("quiet", b"idle > duration(\"5m\") && !on_battery && load_per_core < 0.5".to_vec()),
        ("window", b"within('22:00', '06:00', 'Europe/Berlin') || weekday in ['Sat', 'Sun']\nCET-1CEST,M3.5.0,M10.5.0/3".to_vec()),
        ("week", b"within('Sat 22:00', 'Sun 06:00')\nNZST-12NZDT,M9.5.0,M4.1.0/3".to_vec()),
        ("custom", b"custom.ready ? custom.users in [1, 2.0, -3] : custom.site + '\\x41' != \"\"".to_vec()),
        ("versions", b"app_version >= version('1.0.0-rc.1') && free_disk > 2 * 1024 - 1 % 7 / 3\n<-02>2<-01>,J60/-1,365/0".to_vec()),
        ("numbers", b"!(0x10 == 16.0) || -9223372036854775808 < 0 && 1.5e3 >= .5 || hour != minute".to_vec()),
    ]
}

fn scope() -> Seeds {
    vec![
        ("tree", b"$DATA/**\n$DATA/charts/a.kap".to_vec()),
        ("files", b"$DOCUMENTS/charts/*.kap\n$DOCUMENTS/charts/atlantic.kap".to_vec()),
        ("absolute", b"/srv/charts/**/*.kap\n/srv/charts/a/b/c.kap".to_vec()),
        ("hidden", b"$HOME/.config/*\n$HOME/.config/x".to_vec()),
        ("windows", b"C:/charts/*\nC:\\charts\\a.kap".to_vec()),
        ("share", b"//nas/music/*\n\\\\nas\\music\\a".to_vec()),
    ]
}

fn requested() -> Seeds {
    vec![
        ("part", b"1000\n/a%20b/%C3%BC.js\nbytes=2-400".to_vec()),
        ("end", b"10\n/index.html\nbytes=-3".to_vec()),
        ("rest", b"10\n/\nbytes=10-".to_vec()),
    ]
}

fn inline_scripts() -> Seeds {
    let page = "<!doctype html><title>a<b</title><!-- <script>no</script> --><script type=module>import './a.js'</script>\
                <style media='print'>a{}</style><script><!-- <script>x</script> --></script><p title='<script>'><script a=b/>\r\n1</script>";
    vec![(
        "page",
        [
            b"script-src 'self'; style-src 'self' https:, default-src 'none'\nhttps://example.com/a\n",
            page.as_bytes(),
        ]
        .concat(),
    )]
}

fn project_file() -> Seeds {
    let whole = "[app]\nid = \"com.example.hello\"\nname = \"Hello\"\nversion = \"0.1.0\"\n\n[frontend]\ndist = \
                 \"frontend\"\n\n[frontend.dev]\ncommand = \"npm run dev\"\nurl = \"http://localhost:5173\"\n\n[backend]\npackage \
                 = \"hello\"\n\n[debug]\nlog = \"debug\"\nconstants = { API = \"http://localhost:1234\" }\n\n[[capabilities]]\n\
                 windows = [\"*\"]\nallow = [\"fs.*\"]\nfiles = [{ path = \"$DATA/**\", access = \"read_write\" }]\n\n[update]\n\
                 url = \"https://updates.example.com\"\n";
    vec![("whole", whole.into()), ("smallest", b"[app]\nid = \"com.example.hello\"\n".to_vec())]
}

fn release() -> Manifest {
    let hash = "0123456789abcdef".repeat(4);
    let file = |path: &str| FileEntry {
        path: path.into(),
        sha256: hash.clone(),
        size: 20,
        executable: false,
        blob: Blob { sha256: hash.clone(), size: 10 },
    };
    Manifest {
        format: 1,
        app: "com.example.notes".into(),
        version: "1.2.0".into(),
        sequence: 7,
        windows: description().windows,
        commands: description().commands,
        config: mode(),
        page: vec![file("index.html"), file("assets/app.js")],
        backend: [("x86_64-unknown-linux-gnu".to_owned(), vec![file("notes")])].into(),
        deltas: vec![Delta {
            from: hash.clone(),
            to: hash.clone(),
            method: pack::PATCH_FROM.into(),
            blob: Blob { sha256: hash.clone(), size: 3 },
        }],
        ..Manifest::default()
    }
}

fn delta() -> Seeds {
    let seed = |size: usize, old: &[u8], patch: &[u8]| {
        let short = |number: usize| u16::try_from(number).expect("small").to_le_bytes();
        [&short(size)[..], &short(old.len()), old, patch].concat()
    };
    let (old, new) = (b"the quick brown fox".as_slice(), b"the quick red fox and more".as_slice());
    let patch = pack::diff(old, new).expect("memory").expect("small");
    let packed = pack::compress(&b"ahoy ".repeat(200), 3).expect("memory");
    let code = |machine, container| {
        let mut random = Random(1);
        let mut program = Program::new(machine, &mut random, 4);
        let old = program.file(container);
        program.insert(1, &mut random);
        let new = program.file(container);
        let patch = staysail_delta::diff(&old, &new).expect("memory").expect("small");
        seed(new.len(), &old, &patch)
    };
    vec![
        ("patch", seed(new.len(), old, &patch)),
        ("packed", seed(1_000, b"", &packed)),
        ("code-elf-x86", code(Machine::X86, Container::Elf)),
        ("code-pe-x86", code(Machine::X86, Container::Pe)),
        ("code-macho-arm64", code(Machine::Arm64, Container::MachO)),
    ]
}

/// An executable with a release attached, and the same in the form that gets its trailer anew.
fn archive() -> Seeds {
    const HEAD: usize = 16 + 4 + 8 + 32;
    let files: [(&str, &[u8]); 3] = [
        ("metadata/timestamp.json", b"{}"),
        ("metadata/1.root.json", b"{\"signed\":{}}"),
        ("blobs/a.zst", b""),
    ];
    let entry = |(path, bytes): &(&str, &[u8])| Entry {
        path: (*path).into(),
        size: bytes.len() as u64,
        sha256: staysail_update::hash::of(bytes),
    };
    let mut whole = Vec::new();
    write_head(&mut whole, &files.iter().map(entry).collect::<Vec<_>>()).expect("a small list");
    let index = u16::try_from(whole.len() - HEAD).expect("small").to_le_bytes();
    files.iter().for_each(|(_, bytes)| whole.extend_from_slice(bytes));
    let payload = [&[1][..], &index, &whole[HEAD..]].concat();
    vec![("whole", [&[0][..], &whole].concat()), ("payload", payload)]
}

fn bundle() -> Seeds {
    const TRAILER: usize = 16 + 4 + 8 + 8 + 32 + 16;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("shell"), "the shell").expect("a file");
    std::fs::write(at("index.html"), "<h1>Hello</h1>").expect("a file");
    let mut contents =
        Contents::new(Manifest { format: 1, app: "com.example.a".into(), ..Manifest::default() });
    contents.add_page("index.html", &at("index.html")).expect("a page");
    contents.source = Some(UpdateSource {
        url: "https://example.com".into(),
        check_interval_s: 60,
        ..UpdateSource::default()
    });
    attach(&at("shell"), &at("app"), &contents).expect("a bundle");
    let whole = std::fs::read(at("app")).expect("a bundle");
    let trailer = &whole[whole.len() - TRAILER..];
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| trailer[at + i]));
    let payload =
        &whole[whole.len() - TRAILER - usize::try_from(number(20)).expect("small")..whole.len() - TRAILER];
    let index = u16::try_from(number(28)).expect("small").to_le_bytes();
    vec![("whole", [&[0][..], &whole].concat()), ("payload", [&[1][..], &index, payload].concat())]
}
