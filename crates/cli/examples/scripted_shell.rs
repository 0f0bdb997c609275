//! A shell without windows for the tests of `staysail dev`: prints every message it is told as a line, `TOLD` before
//! it, opens its window at once, and reports each swap live. A page change of `/close.html` closes its window; one of
//! `/broken.js` is followed by the report of a script that can not be read.

#[cfg(unix)]
fn main() {
    use staysail_protocol::bridge::PageReport;
    use staysail_protocol::control::{CONTROL_VARIABLE, SwapTiming, ToShell, ToTool};
    use staysail_protocol::frame::{Decoder, Frame};
    use std::io::{Read, Write};
    use std::os::fd::FromRawFd;

    let number = std::env::var(CONTROL_VARIABLE).expect("started by the tool").parse().expect("a number");
    // SAFETY: the tool handed this descriptor to this process alone.
    let mut socket = unsafe { std::os::unix::net::UnixStream::from_raw_fd(number) };
    let (mut decoder, mut buffer) = (Decoder::default(), vec![0; 1 << 16]);
    let tell = |mut socket: &std::os::unix::net::UnixStream, message: &ToTool| {
        let mut bytes = Vec::new();
        Frame::new(0, message, Vec::new()).encode_into(&mut bytes).expect("a small frame");
        socket.write_all(&bytes).expect("the tool listens");
    };
    loop {
        let count = socket.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return;
        }
        decoder.extend(&buffer[..count]);
        while let Some(frame) = decoder.next_frame().expect("whole frames") {
            println!("TOLD {}", String::from_utf8_lossy(&frame.head));
            match frame.message::<ToShell>().expect("a known message") {
                ToShell::Start(_) => tell(&socket, &ToTool::WindowsOpen),
                ToShell::Swap { id, worker, .. } => {
                    let content = std::fs::read(&worker).expect("the worker exists");
                    let broken = content.windows(14).any(|part| part == b"REFUSE-TO-SWAP");
                    tell(
                        &socket,
                        &match broken {
                            true => ToTool::SwapFailed { id, reason: "it never said hello".into() },
                            false => ToTool::SwapDone {
                                id,
                                timing: SwapTiming { hello_ms: 1.5, ..SwapTiming::default() },
                            },
                        },
                    );
                }
                ToShell::PageChanged { paths } if paths.iter().any(|path| path == "/close.html") => {
                    tell(&socket, &ToTool::Closing);
                    return;
                }
                ToShell::PageChanged { paths } if paths.iter().any(|path| path == "/broken.js") => {
                    let report = PageReport {
                        kind: "boot".into(),
                        level: "error".into(),
                        message: "SyntaxError: not like this".into(),
                        place: "app://localhost/broken.js:1:6".into(),
                    };
                    tell(&socket, &ToTool::Page(report));
                }
                ToShell::Exit => return,
                _ => {}
            }
        }
    }
}

#[cfg(not(unix))]
fn main() {}
