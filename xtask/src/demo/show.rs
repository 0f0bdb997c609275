//! What the demo tells and shows: steps with their time, pictures, the recording, the watch over the window.

use crate::display::{Display, ending_with_us};
use crate::window;
use anyhow::ensure;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Steps, pictures, recording.
pub struct Show {
    folder: PathBuf,
    begun: Instant,
    step: Option<Step>,
    pictures: u32,
    recording: Option<Child>,
    watch: Option<Watch>,
}

struct Step {
    begun: Instant,
    running: Arc<AtomicBool>,
    ticker: Option<JoinHandle<()>>,
}

struct Watch {
    stop: Arc<AtomicBool>,
    absent: Arc<AtomicU32>,
    looks: Arc<AtomicU32>,
    thread: JoinHandle<()>,
}

impl Show {
    /// A show that leaves its pictures in `folder`; those of the last one go.
    pub fn new(folder: PathBuf) -> Self {
        for old in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = old.file_name().to_string_lossy().into_owned();
            if name.ends_with(".png") || name.ends_with(".mp4") {
                let _ = std::fs::remove_file(old.path());
            }
        }
        Self { folder, begun: Instant::now(), step: None, pictures: 0, recording: None, watch: None }
    }

    /// Begins a step; while it takes its time, the seconds are counted.
    pub fn step(&mut self, what: &str) {
        self.end_ticker();
        println!("\n[{:6.1} s] {what}", self.begun.elapsed().as_secs_f64());
        let running = Arc::new(AtomicBool::new(true));
        let begun = Instant::now();
        let seen = running.clone();
        let ticker = std::thread::spawn(move || {
            let terminal = std::io::stdout().is_terminal();
            let every = Duration::from_secs(if terminal { 1 } else { 15 });
            let mut next = every;
            while seen.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
                if begun.elapsed() >= next {
                    next += every;
                    let seconds = begun.elapsed().as_secs();
                    let (start, end) = if terminal { ("\r", "") } else { ("", "\n") };
                    print!("{start}           … {seconds} s{end}");
                    let _ = std::io::stdout().flush();
                }
            }
        });
        self.step = Some(Step { begun, running, ticker: Some(ticker) });
    }

    /// Something worth knowing within a step.
    pub fn note(&self, what: &str) {
        println!("{}           {what}", if std::io::stdout().is_terminal() { "\r" } else { "" });
    }

    /// The step is done.
    pub fn done(&mut self, what: &str) {
        let took = self.step.as_ref().map_or(0.0, |step| step.begun.elapsed().as_secs_f64());
        self.end_ticker();
        self.note(&format!("✓ {what}  ({took:.1} s)"));
    }

    fn end_ticker(&mut self) {
        if let Some(mut step) = self.step.take() {
            step.running.store(false, Ordering::Relaxed);
            step.ticker.take().map(JoinHandle::join);
        }
    }

    /// Lets what was drawn last come to the screen: pictures are for people, nothing is decided by this wait.
    pub fn settle(&self) {
        std::thread::sleep(Duration::from_millis(900));
    }

    /// A picture of the display.
    pub fn picture(&mut self, display: &Display, name: &str) -> anyhow::Result<()> {
        self.settle();
        self.pictures += 1;
        let path = self.folder.join(format!("{:02}-{name}.png", self.pictures));
        window::picture(display, &path)?;
        self.note(&format!("picture target/demo/{:02}-{name}.png", self.pictures));
        Ok(())
    }

    /// Records the virtual display until the end, where ffmpeg is there.
    pub fn record(&mut self, display: &Display) -> anyhow::Result<()> {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg
            .args(["-loglevel", "error", "-y", "-f", "x11grab", "-framerate", "8", "-i", &display.name])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-pix_fmt", "yuv420p"])
            .arg(self.folder.join("demo.mp4"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match ending_with_us(&mut ffmpeg).spawn() {
            Ok(child) => self.recording = Some(child),
            Err(_) => self.note("no ffmpeg here: no recording"),
        }
        Ok(())
    }

    /// From now on looks, many times a second, whether the window is there and still the same one.
    pub fn watch(&mut self, display: &Display, id: window::Id) {
        let stop = Arc::new(AtomicBool::new(false));
        let (absent, looks) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (stopped, gone, counted, name) =
            (stop.clone(), absent.clone(), looks.clone(), display.name.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // Mapped and viewable, or not: asked of X11 for this very window.
                let viewable = Command::new("xwininfo")
                    .args(["-id", &id.to_string()])
                    .env("DISPLAY", &name)
                    .stderr(Stdio::null())
                    .output()
                    .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("IsViewable"));
                counted.fetch_add(1, Ordering::Relaxed);
                gone.fetch_add(u32::from(!viewable), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        self.watch = Some(Watch { stop, absent, looks, thread });
    }

    /// Ends the watch.
    ///
    /// # Errors
    /// When the window was gone for a moment, or is another one now.
    pub fn unwatch(&mut self, display: &Display, id: window::Id) -> anyhow::Result<()> {
        let Some(watch) = self.watch.take() else { return Ok(()) };
        watch.stop.store(true, Ordering::Relaxed);
        let _ = watch.thread.join();
        let (absent, looks) = (watch.absent.load(Ordering::Relaxed), watch.looks.load(Ordering::Relaxed));
        ensure!(absent == 0, "the window was absent in {absent} of {looks} looks");
        let now = window::find(&display.name, super::TITLE);
        ensure!(now == Some(id), "another window is there now: {now:?} instead of {id}");
        self.note(&format!("window {id:#x} was there in each of {looks} looks"));
        Ok(())
    }

    /// Says where everything is.
    pub fn end(&mut self, _display: &Display) {
        let recorded = self.finish_recording();
        println!("\nThe same window from first to last; {:.0} s in all.", self.begun.elapsed().as_secs_f64());
        println!(
            "Pictures: target/demo/*.png{}",
            if recorded { "; recording: target/demo/demo.mp4" } else { "" }
        );
    }

    fn finish_recording(&mut self) -> bool {
        let Some(mut ffmpeg) = self.recording.take() else { return false };
        // `q` makes it write the end of the file.
        if let Some(mut keys) = ffmpeg.stdin.take() {
            let _ = keys.write_all(b"q");
        }
        ffmpeg.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        self.end_ticker();
        if let Some(watch) = self.watch.take() {
            watch.stop.store(true, Ordering::Relaxed);
            let _ = watch.thread.join();
        }
        self.finish_recording();
    }
}

/// The text without ANSI escape sequences.
pub fn plain(text: &str) -> String {
    crate::steps::without_colours(text)
}
