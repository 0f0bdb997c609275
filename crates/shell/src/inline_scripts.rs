//! Finds the inline scripts and style sheets of an HTML file, as a browser does, and hashes their text for the policy
//! ([`crate::content_policy`]).
//!
//! # Theory of operation
//! The file is the user's own and signed, so to hash more than runs is harmless; to hash less, or another text than the
//! browser sees, blocks a script. So this follows the tokenizer of the HTML standard (13.2.5) where that decides what is
//! a tag, and is liberal where it decides what is run: comments, raw-text elements (a `<script>` in a `<textarea>` is
//! text), the escaped states of scripts, attributes in all their spellings, and the newlines the parser normalises
//! (13.2.3.5). Scripts with `src` are allowed by their address and data blocks are never run: neither is hashed.
//!
//! Not seen: scripts in `srcdoc` attributes, and entities inside scripts of inline SVG.
//!
//! **Invariant:** pure; any bytes give an answer, in time linear in their number.

use base64::Engine;
use sha2::{Digest, Sha256};
use staysail_protocol::limits::INLINE_HASHES_MAX;

/// Hash sources for a policy: `'sha256-…'`, each once, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inline {
    /// Of scripts.
    pub scripts: Vec<String>,
    /// Of style sheets.
    pub styles: Vec<String>,
    /// Some were left out (`inline_hashes_max`).
    pub too_many: bool,
}

/// Elements whose content is text up to their own end tag (13.2.6.4; `noscript`, as scripts are on).
const RAW: [&str; 9] =
    ["title", "textarea", "style", "xmp", "iframe", "noembed", "noframes", "noscript", "script"];

/// Values of `type` that make a script one (4.12.1.1): those of JavaScript (MIME sniffing, 4.6) and three more.
const SCRIPT_TYPES: [&str; 19] = [
    "module",
    "importmap",
    "speculationrules",
    "application/ecmascript",
    "application/javascript",
    "application/x-ecmascript",
    "application/x-javascript",
    "text/ecmascript",
    "text/javascript",
    "text/javascript1.0",
    "text/javascript1.1",
    "text/javascript1.2",
    "text/javascript1.3",
    "text/javascript1.4",
    "text/javascript1.5",
    "text/jscript",
    "text/livescript",
    "text/x-ecmascript",
    "text/x-javascript",
];

/// The inline scripts and style sheets of an HTML file.
pub fn of(html: &[u8]) -> Inline {
    let html = as_read(html);
    let mut found = Inline::default();
    let mut at = 0;
    while let Some(offset) = html[at..].find('<') {
        at += offset;
        let rest = &html[at..];
        if rest.starts_with("<!--") {
            at += comment_length(rest);
        } else if rest.starts_with("<!") || rest.starts_with("<?") {
            at += length_to(rest, ">");
        } else if let Some(after) = rest.strip_prefix("</") {
            // `</>` is nothing; `</` before anything but a letter begins a comment (13.2.5.7).
            at += match after.chars().next() {
                Some(first) if first.is_ascii_alphabetic() => Tag::read(after).1 + 2,
                _ => length_to(rest, ">"),
            };
        } else if rest[1..].starts_with(|first: char| first.is_ascii_alphabetic()) {
            let (tag, length) = Tag::read(&rest[1..]);
            at += 1 + length;
            if tag.name == "plaintext" {
                break;
            }
            if RAW.contains(&tag.name.as_str()) {
                let content = &html[at..];
                let end =
                    if tag.name == "script" { script_end(content) } else { raw_end(content, &tag.name) };
                found.take(&tag, &content[..end]);
                at += end;
            }
        } else {
            at += 1;
        }
    }
    found
}

impl Inline {
    fn take(&mut self, tag: &Tag, text: &str) {
        let list = match tag.name.as_str() {
            "style" => &mut self.styles,
            "script" if tag.is_inline_script() => &mut self.scripts,
            _ => return,
        };
        // Without any text nothing runs.
        if text.is_empty() {
            return;
        }
        // In scripts and raw text the tokenizer gives U+FFFD for NUL (13.2.5.3, 13.2.5.4).
        let digest = Sha256::digest(text.replace('\0', "\u{fffd}").as_bytes());
        let source = format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(digest));
        if list.contains(&source) {
            return;
        }
        if list.len() < INLINE_HASHES_MAX {
            list.push(source);
        } else {
            self.too_many = true;
        }
    }
}

/// The text as the parser sees it: UTF-8 without its mark, CR LF and CR as LF.
fn as_read(html: &[u8]) -> String {
    let text = String::from_utf8_lossy(html.strip_prefix(b"\xef\xbb\xbf").unwrap_or(html));
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// The length up to and with `end`; all of it when there is none.
fn length_to(text: &str, end: &str) -> usize {
    text.find(end).map_or(text.len(), |at| at + end.len())
}

/// The length of a comment that begins with `<!--`. `<!-->` and `<!--->` are whole ones, and `--!>` ends one, too.
fn comment_length(text: &str) -> usize {
    let inner = &text[4..];
    if inner.starts_with('>') {
        return 5;
    }
    if inner.starts_with("->") {
        return 6;
    }
    let ends = [("-->", 3), ("--!>", 4)];
    let end = ends.iter().filter_map(|(end, length)| Some(inner.find(end)? + length)).min();
    end.map_or(text.len(), |end| 4 + end)
}

/// Where the end tag of a raw-text element begins; all of it when there is none.
fn raw_end(text: &str, name: &str) -> usize {
    let mut from = 0;
    while let Some(offset) = text[from..].find("</") {
        let at = from + offset;
        if is_name(&text[at + 2..], name) {
            return at;
        }
        from = at + 2;
    }
    text.len()
}

/// Where the end tag of a script begins. After `<!--` and then `<script` one `</script` belongs to the text: the
/// "double escaped" state (13.2.5.27), which `-->` ends.
fn script_end(text: &str) -> usize {
    let (mut at, mut escaped, mut double_escaped) = (0, false, false);
    while let Some(offset) = text[at..].find(['<', '-']) {
        at += offset;
        let rest = &text[at..];
        if escaped && rest.starts_with("-->") {
            (escaped, double_escaped) = (false, false);
            at += 3;
        } else if !escaped && rest.starts_with("<!--") {
            // The two dashes may be those of the end already: `<!-->` escapes nothing.
            escaped = true;
            at += 2;
        } else if rest.strip_prefix("</").is_some_and(|rest| is_name(rest, "script")) {
            if !double_escaped {
                return at;
            }
            double_escaped = false;
            at += 8;
        } else if escaped && is_name(&rest[1..], "script") && rest.starts_with('<') {
            double_escaped = true;
            at += 7;
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Whether a tag's name begins here and is this one, in any case.
fn is_name(text: &str, name: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= name.len()
        && bytes[..name.len()].eq_ignore_ascii_case(name.as_bytes())
        // At the end of the file there is no tag any more, only text.
        && bytes.get(name.len()).is_some_and(|next| is_space(*next) || matches!(next, b'/' | b'>'))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b' ')
}

/// A start tag: its name and attributes in lower case, of equal ones the first.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// Reads a tag from its name on. Returns its length, with the `>`.
    fn read(text: &str) -> (Self, usize) {
        let bytes = text.as_bytes();
        let mut at = 0;
        let mut until = |from: usize, stop: &dyn Fn(u8) -> bool| {
            at = from;
            while at < bytes.len() && !stop(bytes[at]) {
                at += 1;
            }
            at
        };
        let mut end = until(0, &|byte| is_space(byte) || matches!(byte, b'/' | b'>'));
        let mut tag = Self { name: text[..end].to_ascii_lowercase(), attributes: Vec::new() };
        loop {
            let begin = until(end, &|byte| !is_space(byte) && byte != b'/');
            if begin >= bytes.len() || bytes[begin] == b'>' {
                return (tag, (begin + 1).min(bytes.len()));
            }
            // The first character belongs to the name whatever it is, also `=` (13.2.5.32).
            let first = begin + text[begin..].chars().next().map_or(1, char::len_utf8);
            end = until(first, &|byte| is_space(byte) || matches!(byte, b'/' | b'>' | b'='));
            let name = text[begin..end].to_ascii_lowercase();
            let mut value = "";
            let equals = until(end, &|byte| !is_space(byte));
            if bytes.get(equals) == Some(&b'=') {
                let begin = until(equals + 1, &|byte| !is_space(byte));
                match bytes.get(begin) {
                    Some(quote @ (b'"' | b'\'')) => {
                        end = until(begin + 1, &|byte| byte == *quote);
                        value = &text[begin + 1..end];
                        end = (end + 1).min(bytes.len());
                    }
                    // `<script x=>`: an empty value, and the tag's end.
                    _ => {
                        end = until(begin, &|byte| is_space(byte) || byte == b'>');
                        value = &text[begin..end];
                    }
                }
            }
            tag.attributes.push((name, value.to_string()));
        }
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn is_inline_script(&self) -> bool {
        if self.attribute("src").is_some() {
            return false;
        }
        let Some(kind) = self.attribute("type") else { return true };
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        // An entity would have to be read first; nobody writes one for anything but a script.
        essence.is_empty() || essence.contains('&') || SCRIPT_TYPES.contains(&essence.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> String {
        let digest = Sha256::digest(text.as_bytes());
        format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(digest))
    }

    /// The file's scripts are these texts.
    #[track_caller]
    fn scripts(html: &str, texts: &[&str]) {
        let found = of(html.as_bytes());
        assert_eq!(found.scripts, texts.iter().map(|text| hash(text)).collect::<Vec<_>>(), "{html}");
    }

    #[test]
    fn the_hash_is_the_one_of_the_policys_specification() {
        // Content Security Policy Level 2, 4.2.5: the example.
        let found = of(b"<script>alert('Hello, world.');</script>");
        assert_eq!(found.scripts, ["'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"]);
    }

    #[test]
    fn inline_scripts_of_every_kind_are_found_and_data_blocks_and_sources_are_not() {
        scripts("<script>a</script><SCRIPT type=\"module\">b</SCRIPT >", &["a", "b"]);
        scripts(
            "<script type = 'importmap'>{}</script><script type=speculationrules>[]</script>",
            &["{}", "[]"],
        );
        scripts(
            "<script type=\" Text/JavaScript ; charset=utf-8\">a</script><script type>b</script>",
            &["a", "b"],
        );
        scripts("<script type=application/json>{}</script><script type=\"text/template\"><b></script>", &[]);
        scripts("<script src=/a.js>text</script><script src>x</script><script SRC = \"b\" >y</script>", &[]);
        scripts("<script data-src=x nosrc async>a</script>", &["a"]);
        scripts("<script></script><script> </script>", &[" "]);
        scripts("<script>a</script><script>a</script>", &["a"]);
    }

    #[test]
    fn attributes_are_read_in_all_their_spellings() {
        scripts("<script a='>' b=\">\" c=d/>x</script>", &["x"]);
        scripts("<script/a/b=c>x</script>", &["x"]);
        scripts("<script a=>x</script>", &["x"]);
        scripts("<script =a>x</script>", &["x"]);
        scripts("<script a = \n 'b'c>x</script>", &["x"]);
        scripts("<script type=module type=application/json>x</script>", &["x"]);
        scripts("<p title='<script>no</script>'><p title=\"<script>no</script>\">", &[]);
        scripts("<script\n\ttype='text/javascript'\n>x</script>", &["x"]);
        scripts("<script ünd=ö>x</script>", &["x"]);
    }

    #[test]
    fn what_only_looks_like_a_script_is_text() {
        scripts("<!-- <script>no</script> --><script>a</script>", &["a"]);
        scripts("<!--><script>a</script>-->", &["a"]);
        scripts("<!---><script>a</script>-->", &["a"]);
        scripts("<!-- --!><script>a</script>", &["a"]);
        scripts("<!doctype html><?xml <script>?><script>a</script>", &["a"]);
        scripts("</ <script>no><script>a</script>", &["a"]);
        scripts(
            "<title><script>no</script></title><textarea><script>no</script></TEXTAREA><script>a</script>",
            &["a"],
        );
        scripts("<style><script>no</script></style><noscript><script>no</script></noscript>", &[]);
        scripts("<scripts>no</scripts><a <script>a</script>", &[]);
        scripts("1 < 2 <script>a</script>", &["a"]);
        scripts("<plaintext><script>no</script>", &[]);
    }

    #[test]
    fn a_script_ends_where_the_parser_ends_it() {
        scripts("<script>\"</scriptx>\"</script>b", &["\"</scriptx>\""]);
        scripts("<script>a</script\n>", &["a"]);
        scripts("<script>a</SCRIPT/>", &["a"]);
        scripts("<script><!-- a</script>", &["<!-- a"]);
        scripts("<script><!-- <script>a</script> --></script>", &["<!-- <script>a</script> -->"]);
        scripts("<script><!-- <script>a --></script>", &["<!-- <script>a -->"]);
        scripts("<script><!--> <script></script>", &["<!--> <script>"]);
        scripts("<script>a", &["a"]);
        scripts("<script>a</script", &["a</script"]);
    }

    #[test]
    fn newlines_marks_and_nul_are_hashed_as_the_parser_reads_them() {
        scripts("\u{feff}<script>a\r\nb\rc\n</script>", &["a\nb\nc\n"]);
        scripts("<script>\na</script>", &["\na"]);
        scripts("<script>a\0b</script>", &["a\u{fffd}b"]);
        scripts("<script>ü\u{2028}</script>", &["ü\u{2028}"]);
        let broken = of(b"<script>\xff</script>");
        assert_eq!(broken.scripts, [hash("\u{fffd}")]);
    }

    #[test]
    fn style_sheets_are_found_beside_scripts() {
        let found = of(b"<style media=print>a{}</style><script>b</script><style></style>");
        assert_eq!((found.styles, found.scripts), (vec![hash("a{}")], vec![hash("b")]));
    }

    #[test]
    fn the_number_of_hashes_is_bounded_and_nonsense_ends() {
        let many: String = (0..INLINE_HASHES_MAX + 9).map(|n| format!("<script>{n}</script>")).collect();
        let found = of(many.as_bytes());
        assert!(found.scripts.len() == INLINE_HASHES_MAX && found.too_many);
        for nonsense in
            ["<", "</", "<!", "<!-", "<!--", "<a", "<a ", "<a b", "<a b=", "<a b='", "<script", "<script "]
        {
            assert_eq!(of(nonsense.as_bytes()), Inline::default(), "{nonsense}");
        }
    }
}
