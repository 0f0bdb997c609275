//! Markdown to safe HTML and to plain text.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
}

/// Markdown as HTML. HTML in the text is shown as text, and links lead nowhere but to the web, mail and other notes.
pub fn render(text: &str) -> String {
    let safe = Parser::new_ext(text, options()).map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) if !is_safe(&dest_url) => {
            let dest_url = "#".into();
            let _ = (title, id);
            Event::Start(Tag::Link { link_type, dest_url, title: "".into(), id: "".into() })
        }
        Event::Start(Tag::Image { .. }) => Event::Start(Tag::Emphasis),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Emphasis),
        other => other,
    });
    let mut out = String::new();
    html::push_html(&mut out, safe);
    out
}

fn is_safe(address: &str) -> bool {
    let lower = address.trim().to_ascii_lowercase();
    ["https://", "http://", "mailto:", "#"].iter().any(|start| lower.starts_with(start))
}

/// The text without its marks, a line for each block.
pub fn plain(text: &str) -> String {
    let mut out = String::new();
    for event in Parser::new_ext(text, options()) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                out.push_str(&text)
            }
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            Event::End(
                TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::CodeBlock | TagEnd::TableCell,
            ) => {
                out.push('\n');
            }
            _ => {}
        }
    }
    out
}

/// The first line that says more than the note's name.
pub fn first_line(text: &str, name: &str) -> String {
    let plain = plain(text);
    let line = plain.lines().map(str::trim).find(|line| !line.is_empty() && *line != name).unwrap_or("");
    line.chars().take(140).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_and_script_links_are_shown_not_run() {
        let out = render(
            "a <b>bold</b> word\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![i](https://example.com/a.png)",
        );
        assert!(!out.contains("<script") && !out.contains("javascript:") && !out.contains("<img"), "{out}");
        assert!(out.contains("&lt;script&gt;"));
    }

    #[test]
    fn tables_and_tasks_are_rendered() {
        let out = render("| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done");
        assert!(out.contains("<table>") && out.contains("checkbox"), "{out}");
    }

    #[test]
    fn the_preview_is_the_first_line_that_says_more_than_the_name() {
        assert_eq!(first_line("# Plan\n\nBuy *rope* and `tar`.\n", "Plan"), "Buy rope and tar.");
        assert_eq!(first_line("", "Plan"), "");
    }
}
