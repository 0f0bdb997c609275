//! Files dragged from another program over a window under test.

use crate::child::Program;
use crate::stage::Stage;
use anyhow::Context;
use std::path::Path;
use std::time::Duration;

/// The program files are dragged from: a small window that stands in a corner of the screen.
pub struct Source {
    /// It; says `drag ended` after each drag.
    pub program: Program,
    window: String,
}

impl Source {
    /// Starts it. `program` is the binary `drag-source` of this package.
    ///
    /// # Errors
    /// When its window does not come.
    pub fn start(stage: &Stage, program: &str, files: &[&Path]) -> anyhow::Result<Self> {
        let mut command = stage.command(Path::new(program));
        command.args(
            files.iter().map(|file| format!("file://{}", file.display().to_string().replace(' ', "%20"))),
        );
        let program = Program::start("drag-source", command)?;
        let window = stage.display.window("drag source", Duration::from_secs(10))?;
        Ok(Self { program, window })
    }

    /// Begins to drag and stops over a point of a window's inside, the button still down.
    ///
    /// # Errors
    /// When the X server does not say where the windows are.
    pub fn drag_over(&self, stage: &Stage, window: &str, to: (i32, i32)) -> anyhow::Result<()> {
        let [left, top, width, height] = place(stage, &self.window)?;
        let (x, y) = (left + width / 2, top + height / 2);
        let [left, top, ..] = place(stage, window)?;
        let point = |x: i32, y: i32| [x.to_string(), y.to_string()];
        let go =
            |[x, y]: [String; 2]| stage.display.tool("xdotool", &["mousemove", "--sync", &x, &y]).map(drop);
        go(point(x, y))?;
        stage.display.tool("xdotool", &["mousedown", "1"])?;
        for step in 1..=10 {
            let part = |from: i32, to: i32| from + (to - from) * step / 10;
            go(point(part(x, left + to.0), part(y, top + to.1)))?;
        }
        // A drag is told of where it moves.
        go(point(left + to.0 + 2, top + to.1 + 2))
    }
}

/// Lets go of what is dragged.
///
/// # Errors
/// When the X server does not take it.
pub fn let_go(stage: &Stage) -> anyhow::Result<()> {
    stage.display.tool("xdotool", &["mouseup", "1"]).map(drop)
}

/// Left, top, width and height of a window's inside on the screen.
///
/// # Errors
/// When there is no such window.
pub fn place(stage: &Stage, window: &str) -> anyhow::Result<[i32; 4]> {
    let text = stage.display.tool("xwininfo", &["-id", window])?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no {name} in {text}"))
    };
    Ok([
        value("Absolute upper-left X:")?,
        value("Absolute upper-left Y:")?,
        value("Width:")?,
        value("Height:")?,
    ])
}
