//! `page.*`: the page of a window on paper.

use serde::{Deserialize, Serialize};

/// A request of the group `page`.
#[cfg(feature = "host")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum PageRequest {
    /// Show the system's dialog for printing. Answer: null, once the dialog is shown or, where the system does not
    /// say that, asked for.
    Print {
        /// The window; the asking page's own when absent.
        label: Option<String>,
    },
    /// Print to a PDF file. Answer: null, once it is written whole.
    PrintToPdf {
        /// The window; the asking page's own when absent.
        label: Option<String>,
        /// Where to: a path that ends in `.pdf`. A page names one it may write (`files` of its capability), as with
        /// `fs.write`; the worker an absolute one, in a folder that is there.
        path: String,
        /// Put it in place of a file that is there.
        #[serde(default)]
        overwrite: bool,
        /// How it is laid out.
        #[serde(default)]
        layout: PdfLayout,
    },
}

/// How a PDF is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PdfLayout {
    /// The long edge lies horizontally.
    pub landscape: bool,
    /// Width and height of the paper in millimetres, upright.
    pub paper_mm: (f64, f64),
    /// Margins in millimetres: above, right, below, left.
    pub margins_mm: (f64, f64, f64, f64),
    /// Enlargement; 1 for none.
    pub scale: f64,
    /// Colours and pictures behind the text are printed, too.
    pub backgrounds: bool,
}

impl Default for PdfLayout {
    /// A4, upright, 10 mm of margin.
    fn default() -> Self {
        Self {
            landscape: false,
            paper_mm: (210.0, 297.0),
            margins_mm: (10.0, 10.0, 10.0, 10.0),
            scale: 1.0,
            backgrounds: true,
        }
    }
}

impl PdfLayout {
    /// Says what about the layout can not be printed.
    ///
    /// # Errors
    /// A sentence for people that names the field.
    pub fn check(&self) -> Result<(), String> {
        let (width, height) = self.paper_mm;
        let (top, right, bottom, left) = self.margins_mm;
        let within = |value: f64, least: f64, most: f64| value.is_finite() && value >= least && value <= most;
        if !within(width, 10.0, 5_000.0) || !within(height, 10.0, 5_000.0) {
            return Err(format!("`paper_mm` is {width} × {height}; each must be 10 to 5000"));
        }
        let margins_fit = [top, right, bottom, left].iter().all(|margin| within(*margin, 0.0, 5_000.0))
            && left + right < width
            && top + bottom < height;
        if !margins_fit {
            return Err("`margins_mm` must not be negative, and must leave something of the paper".into());
        }
        if !within(self.scale, 0.1, 10.0) {
            return Err(format!("`scale` is {}; it must be 0.1 to 10", self.scale));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_that_leaves_no_paper_is_refused_by_the_name_of_its_field() {
        assert_eq!(PdfLayout::default().check(), Ok(()));
        for (layout, field) in [
            (PdfLayout { paper_mm: (f64::NAN, 297.0), ..PdfLayout::default() }, "paper_mm"),
            (PdfLayout { margins_mm: (0.0, 120.0, 0.0, 100.0), ..PdfLayout::default() }, "margins_mm"),
            (PdfLayout { margins_mm: (-1.0, 0.0, 0.0, 0.0), ..PdfLayout::default() }, "margins_mm"),
            (PdfLayout { scale: 0.0, ..PdfLayout::default() }, "scale"),
        ] {
            assert!(layout.check().is_err_and(|error| error.contains(field)), "{field}");
        }
    }
}
