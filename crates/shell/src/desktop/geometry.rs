//! Where windows were when they were closed last, and where they may be now.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tao::dpi::{LogicalPosition, LogicalSize};

/// Of a window's title bar this much, in logical pixels, must be on a screen to be caught with the mouse.
const REACHABLE: (f64, f64) = (96.0, 24.0);

/// A rectangle in logical pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Left edge of the window, with its borders.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Inner width.
    pub width: f64,
    /// Inner height.
    pub height: f64,
    /// It filled its screen.
    #[serde(default)]
    pub maximized: bool,
}

impl Place {
    /// The corner of a window of this size that stands in the middle of its parent, its title bar never above it.
    pub fn over(corner: LogicalPosition<f64>, parent: LogicalSize<f64>, size: (f64, f64)) -> (f64, f64) {
        let middle = |length: f64, own: f64| ((length - own) / 2.0).round();
        (corner.x + middle(parent.width, size.0), corner.y + middle(parent.height, size.1).max(0.0))
    }

    /// Whether enough of the title bar is on one of the screens.
    fn is_reachable(&self, screens: &[Place]) -> bool {
        screens.iter().any(|screen| {
            let overlap = |from: f64, length: f64, screen_from: f64, screen_length: f64| {
                (from + length).min(screen_from + screen_length) - from.max(screen_from)
            };
            overlap(self.x, self.width, screen.x, screen.width) >= REACHABLE.0.min(self.width)
                && self.y >= screen.y
                && self.y + REACHABLE.1 <= screen.y + screen.height
        })
    }

    /// Where a window that was here is to be opened, its position left to the system when no screen shows it any
    /// more, and no larger than the largest screen.
    pub fn fit(self, screens: &[Place]) -> (Option<(f64, f64)>, (f64, f64)) {
        let widest = screens.iter().map(|screen| screen.width).fold(0.0, f64::max);
        let tallest = screens.iter().map(|screen| screen.height).fold(0.0, f64::max);
        let bounded = |length: f64, most: f64| if most > 0.0 { length.min(most) } else { length };
        let size = (bounded(self.width, widest), bounded(self.height, tallest));
        let reachable = self.is_reachable(screens);
        (reachable.then_some((self.x, self.y)), size)
    }
}

/// The file of remembered places.
#[derive(Default)]
pub struct Places {
    file: Option<PathBuf>,
    places: BTreeMap<String, Place>,
}

impl Places {
    /// Reads the file. One that is damaged counts as empty: windows then open where they are declared.
    pub fn open(file: Option<PathBuf>) -> Self {
        let text = file.as_ref().and_then(|file| std::fs::read(file).ok());
        let places = text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { file, places }
    }

    /// Where the window was.
    pub fn of(&self, label: &str) -> Option<Place> {
        let sound = |place: &&Place| {
            [place.x, place.y, place.width, place.height].iter().all(|value| value.is_finite())
                && place.width >= 1.0
                && place.height >= 1.0
        };
        self.places.get(label).filter(sound).copied()
    }

    /// Remembers where it is, for the next start, too.
    pub fn keep(&mut self, label: &str, place: Place) {
        if self.places.insert(label.into(), place) == Some(place) {
            return;
        }
        let Some(file) = &self.file else { return };
        let temporary = file.with_extension("tmp");
        let written = serde_json::to_vec_pretty(&self.places)
            .map_err(std::io::Error::other)
            .and_then(|text| std::fs::write(&temporary, text))
            .and_then(|()| std::fs::rename(&temporary, file));
        if let Err(error) = written {
            tracing::warn!(file = %file.display(), %error, "where the windows are is not remembered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(x: f64, y: f64, width: f64, height: f64) -> Place {
        Place { x, y, width, height, maximized: false }
    }

    #[test]
    fn a_window_returns_to_its_place_as_long_as_a_screen_shows_its_title_bar() {
        let screens = [place(0.0, 0.0, 1280.0, 800.0), place(1280.0, 0.0, 1920.0, 1080.0)];
        let fit = |window: Place| window.fit(&screens);
        assert_eq!(fit(place(100.0, 50.0, 640.0, 480.0)), (Some((100.0, 50.0)), (640.0, 480.0)));
        assert_eq!(fit(place(3000.0, 900.0, 640.0, 480.0)).0, Some((3000.0, 900.0)), "partly on the second");
        assert_eq!(fit(place(3150.0, 900.0, 640.0, 480.0)).0, None, "too little of it");
        assert_eq!(fit(place(100.0, -40.0, 640.0, 480.0)).0, None, "title bar above the screen");
        assert_eq!(fit(place(-4000.0, 50.0, 640.0, 480.0)).0, None, "its screen is gone");
        assert_eq!(fit(place(0.0, 0.0, 5000.0, 4000.0)).1, (1920.0, 1080.0), "larger than any screen");
    }

    #[test]
    fn a_child_opens_in_the_middle_of_its_parent_and_a_larger_one_with_its_title_bar_on_it() {
        let over =
            |size| Place::over(LogicalPosition::new(100.0, 50.0), LogicalSize::new(800.0, 600.0), size);
        assert_eq!(over((300.0, 200.0)), (350.0, 250.0));
        assert_eq!(over((900.0, 700.0)), (50.0, 50.0));
    }

    #[test]
    fn a_damaged_or_senseless_file_of_places_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windows.json");
        for text in ["{", "[]", r#"{"main":{"x":1e999,"y":0,"width":5,"height":5}}"#] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(Places::open(Some(file.clone())).of("main"), None, "{text}");
        }
        std::fs::write(&file, r#"{"main":{"x":0,"y":0,"width":0,"height":5}}"#).unwrap();
        assert_eq!(Places::open(Some(file)).of("main"), None);
    }

    #[test]
    fn a_place_is_there_after_the_file_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windows.json");
        Places::open(Some(file.clone())).keep("main", place(1.0, 2.0, 3.0, 4.0));
        assert_eq!(Places::open(Some(file)).of("main"), Some(place(1.0, 2.0, 3.0, 4.0)));
    }
}
