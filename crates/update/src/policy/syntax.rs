//! From text to tree: the part of CEL that conditions need.
//!
//! The grammar is that of CEL without maps, messages, comprehensions, bytes, unsigned numbers and raw or triple-quoted
//! strings. A tree is at most [`EXPRESSION_DEPTH_MAX`] high and an expression [`EXPRESSION_BYTES_MAX`] long, so whoever walks
//! it needs no other bound.

use staysail_protocol::limits::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX};
use std::fmt;

/// Why an expression can not be used: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Offset of the place in bytes.
    pub at: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    pub(crate) fn new(at: usize, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { at, problem: problem.into(), remedy: remedy.into() }
    }

    /// For people: the column, the expression, a caret below the place, the remedy.
    pub fn show(&self, expression: &str) -> String {
        let before = expression.get(..self.at).unwrap_or(expression);
        let column = before.chars().count();
        let line: String = expression
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .collect();
        format!("column {}: {}\n  {line}\n  {:column$}^ {}", column + 1, self.problem, "", self.remedy)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.problem)
    }
}

/// A part of an expression and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Offset in bytes: of an operator's sign, of anything else's first character.
    pub at: usize,
    /// What it is.
    pub kind: Kind,
    height: usize,
}

/// What a part of an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `true`
    Bool(bool),
    /// `7`
    Int(i64),
    /// `0.5`
    Double(f64),
    /// `"text"`
    Text(String),
    /// `[a, b]`
    List(Vec<Node>),
    /// A fact: `idle`, `custom.editing`.
    Name(String),
    /// `function(a, b)`
    Call(String, Vec<Node>),
    /// `!a`
    Not(Box<Node>),
    /// `-a`
    Minus(Box<Node>),
    /// `a + b`
    Two(Operator, Box<Node>, Box<Node>),
    /// `a ? b : c`
    Choice(Box<[Node; 3]>),
}

/// An operator between two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Equal,
    /// `!=`
    Different,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `in`
    In,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

/// Operators with their signs, by level from loosest to tightest; a sign that begins like another one stands after it.
const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Different),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("in", Operator::In),
    ],
    &[("+", Operator::Plus), ("-", Operator::Minus)],
    &[("*", Operator::Times), ("/", Operator::Divide), ("%", Operator::Remainder)],
];

impl Operator {
    /// How it is written.
    pub fn sign(self) -> &'static str {
        LEVELS.iter().copied().flatten().find(|(_, operator)| *operator == self).map_or("", |(sign, _)| sign)
    }
}

/// Reads an expression.
///
/// # Errors
/// A [`Fault`] at the first place that can not be read.
pub fn parse(text: &str) -> Result<Node, Fault> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let problem =
            format!("the expression is longer than {EXPRESSION_BYTES_MAX} bytes (expression_bytes_max)");
        return Err(Fault::new(
            EXPRESSION_BYTES_MAX,
            problem,
            "Shorten it, or have the app decide: `custom.NAME`.",
        ));
    }
    let mut parser = Parser { text, at: 0, nested: 0 };
    let node = parser.expression()?;
    match parser.rest().chars().next() {
        None => Ok(node),
        Some('=') => Err(Fault::new(parser.at, "`=` compares nothing", "Write `==`.")),
        Some('&' | '|') => Err(Fault::new(parser.at, "a single sign", "Write `&&` or `||`.")),
        Some('.') => Err(Fault::new(
            parser.at,
            "there are no methods and no fields here",
            "Only `custom.NAME` has a point; functions stand before what they are used on.",
        )),
        Some(other) => Err(Fault::new(
            parser.at,
            format!("{other:?} does not go on from what stands before"),
            "Put an operator between, or take it out.",
        )),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    nested: usize,
}

impl Parser<'_> {
    /// What is left, spaces skipped.
    fn rest(&mut self) -> &str {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']).len();
        &self.text[self.at..]
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    fn wanted(&mut self, sign: &str) -> Result<(), Fault> {
        if self.eat(sign) {
            return Ok(());
        }
        self.rest();
        Err(Fault::new(self.at, format!("here should be `{sign}`"), format!("Add `{sign}`.")))
    }

    fn node(at: usize, kind: Kind) -> Result<Node, Fault> {
        let below = match &kind {
            Kind::Not(node) | Kind::Minus(node) => node.height,
            Kind::Two(_, left, right) => left.height.max(right.height),
            Kind::Choice(nodes) => nodes.iter().map(|node| node.height).max().unwrap_or(0),
            Kind::List(nodes) | Kind::Call(_, nodes) => {
                nodes.iter().map(|node| node.height).max().unwrap_or(0)
            }
            _ => 0,
        };
        if below >= EXPRESSION_DEPTH_MAX {
            return Err(too_deep(at));
        }
        Ok(Node { at, kind, height: below + 1 })
    }

    fn expression(&mut self) -> Result<Node, Fault> {
        self.nested += 1;
        if self.nested > EXPRESSION_DEPTH_MAX {
            return Err(too_deep(self.at));
        }
        let condition = self.level(0)?;
        let at = self.at;
        let node = if self.eat("?") {
            let yes = self.level(0)?;
            self.wanted(":")?;
            let no = self.expression()?;
            Self::node(at, Kind::Choice(Box::new([condition, yes, no])))?
        } else {
            condition
        };
        self.nested -= 1;
        Ok(node)
    }

    fn level(&mut self, level: usize) -> Result<Node, Fault> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        loop {
            let rest = self.rest();
            let found = operators.iter().find(|(sign, operator)| {
                let word = *operator == Operator::In;
                rest.strip_prefix(sign).is_some_and(|after| !word || !after.starts_with(is_name_part))
            });
            let Some((sign, operator)) = found else { return Ok(left) };
            let at = self.at;
            self.at += sign.len();
            let right = self.level(level + 1)?;
            left = Self::node(at, Kind::Two(*operator, Box::new(left), Box::new(right)))?;
        }
    }

    /// `!` and `-`, each any number of times, as CEL has it: not both mixed.
    fn unary(&mut self) -> Result<Node, Fault> {
        let sign = match self.rest().chars().next() {
            Some(sign @ ('!' | '-')) => sign,
            _ => return self.primary(),
        };
        let mut places = Vec::new();
        while self.rest().starts_with(sign) {
            places.push(self.at);
            self.at += 1;
            if places.len() > EXPRESSION_DEPTH_MAX {
                return Err(too_deep(self.at));
            }
        }
        // The least number has no positive counterpart, so the sign belongs to the number.
        let digits = sign == '-' && self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let mut node = if digits {
            let at = places.pop().unwrap_or(self.at);
            self.number(at, true)?
        } else {
            self.primary()?
        };
        for at in places.into_iter().rev() {
            let inner = Box::new(node);
            node = Self::node(at, if sign == '!' { Kind::Not(inner) } else { Kind::Minus(inner) })?;
        }
        Ok(node)
    }

    fn primary(&mut self) -> Result<Node, Fault> {
        let first = self.rest().chars().next();
        let at = self.at;
        match first {
            None => Err(Fault::new(
                at,
                "the expression ends too early",
                "Complete it, or take the last operator out.",
            )),
            Some('(') => {
                self.at += 1;
                let inner = self.expression()?;
                self.wanted(")")?;
                Ok(inner)
            }
            Some('[') => {
                self.at += 1;
                let items = self.items("]")?;
                Self::node(at, Kind::List(items))
            }
            Some(quote @ ('"' | '\'')) => {
                let text = self.string(quote)?;
                Self::node(at, Kind::Text(text))
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(at, false),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.name(at),
            Some(other) => Err(Fault::new(
                at,
                format!("{other:?} begins nothing"),
                "Here belongs a fact, a number, a text in quotes or a parenthesis.",
            )),
        }
    }

    fn word(&mut self) -> String {
        let rest = &self.text[self.at..];
        let word: String = rest.chars().take_while(|c| is_name_part(*c)).collect();
        self.at += word.len();
        word
    }

    fn name(&mut self, at: usize) -> Result<Node, Fault> {
        let mut name = self.word();
        match name.as_str() {
            "true" | "false" => return Self::node(at, Kind::Bool(name == "true")),
            "in" | "null" | "as" | "break" | "const" | "continue" | "else" | "for" | "function" | "if"
            | "import" | "let" | "loop" | "package" | "namespace" | "return" | "var" | "void" | "while" => {
                return Err(Fault::new(
                    at,
                    format!("`{name}` is a word of the language"),
                    "Use a fact's name here.",
                ));
            }
            _ => {}
        }
        if name == "custom" && self.eat(".") {
            self.rest();
            let member = self.word();
            if member.is_empty() {
                return Err(Fault::new(self.at, "`custom.` without a name", "Write `custom.NAME`."));
            }
            name = format!("custom.{member}");
        } else if self.eat("(") {
            let arguments = self.items(")")?;
            return Self::node(at, Kind::Call(name, arguments));
        }
        Self::node(at, Kind::Name(name))
    }

    fn items(&mut self, end: &str) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        while !self.eat(end) {
            if !items.is_empty() {
                if !self.eat(",") {
                    self.rest();
                    let problem = format!("here should be `,` or `{end}`");
                    return Err(Fault::new(self.at, problem, format!("Close with `{end}`.")));
                }
                // A comma at the end is CEL's in lists only.
                if end == "]" && self.eat(end) {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        Ok(items)
    }

    fn number(&mut self, at: usize, negative: bool) -> Result<Node, Fault> {
        let rest = &self.text[self.at..];
        let wrong = |problem: &str| Err(Fault::new(at, problem, "Write a number such as 7, -0.5 or 1e3."));
        let (sign, begin) = (if negative { "-" } else { "" }, self.at);
        if let Some(hexadecimal) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let digits: String = hexadecimal.chars().take_while(char::is_ascii_hexdigit).collect();
            self.at += 2 + digits.len();
            self.no_word_after()?;
            return match i64::from_str_radix(&format!("{sign}{digits}"), 16) {
                Ok(number) if !digits.is_empty() => Self::node(at, Kind::Int(number)),
                _ => wrong("this number is too large, or none"),
            };
        }
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        self.at += digits(rest);
        let mut whole = true;
        let after = &self.text[self.at..];
        if let Some(fraction) = after.strip_prefix('.').map(digits).filter(|fraction| *fraction > 0) {
            self.at += 1 + fraction;
            whole = false;
        }
        let after = &self.text[self.at..];
        if let Some(exponent) = after.strip_prefix(['e', 'E']) {
            let signs = usize::from(exponent.starts_with(['+', '-']));
            let length = digits(&exponent[signs..]);
            if length > 0 {
                self.at += 1 + signs + length;
                whole = false;
            }
        }
        let written = &self.text[begin..self.at];
        let text = format!("{sign}{written}");
        self.no_word_after()?;
        let kind = if whole {
            text.parse().ok().map(Kind::Int)
        } else {
            text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Kind::Double)
        };
        kind.map_or_else(|| wrong("this number is too large, or none"), |kind| Self::node(at, kind))
    }

    /// `5m` and `1u` are no numbers here.
    fn no_word_after(&self) -> Result<(), Fault> {
        match self.text[self.at..].starts_with(is_name_part) {
            false => Ok(()),
            true => Err(Fault::new(
                self.at,
                "a number with a unit",
                "Durations are written duration(\"5m\"), sizes as numbers of bytes.",
            )),
        }
    }

    fn string(&mut self, quote: char) -> Result<String, Fault> {
        let begin = self.at;
        let open =
            || Fault::new(begin, "this text has no end", format!("Close it with {quote} on the same line."));
        let mut text = String::new();
        let mut characters = self.text[begin..].char_indices().skip(1);
        while let Some((offset, character)) = characters.next() {
            match character {
                _ if character == quote => {
                    self.at = begin + offset + 1;
                    return Ok(text);
                }
                '\n' | '\r' => return Err(open()),
                '\\' => {
                    let (_, escape) = characters.next().ok_or_else(open)?;
                    let mut code = |count: usize, radix: u32, first: u32| {
                        (0..count).try_fold(first, |value, _| {
                            let digit = characters.next().and_then(|(_, c)| c.to_digit(radix))?;
                            value.checked_mul(radix)?.checked_add(digit)
                        })
                    };
                    let plain = match escape {
                        'n' => Some('\n'),
                        'r' => Some('\r'),
                        't' => Some('\t'),
                        'a' => Some('\u{7}'),
                        'b' => Some('\u{8}'),
                        'f' => Some('\u{c}'),
                        'v' => Some('\u{b}'),
                        '\\' | '"' | '\'' | '`' | '?' => Some(escape),
                        'x' | 'X' => code(2, 16, 0).and_then(char::from_u32),
                        'u' => code(4, 16, 0).and_then(char::from_u32),
                        'U' => code(8, 16, 0).and_then(char::from_u32),
                        '0'..='3' => code(2, 8, escape as u32 - '0' as u32).and_then(char::from_u32),
                        _ => None,
                    };
                    text.push(plain.ok_or_else(|| {
                        Fault::new(begin + offset, "this is no escape of CEL", "Write a backslash as `\\\\`.")
                    })?);
                }
                _ => text.push(character),
            }
        }
        Err(open())
    }
}

fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn too_deep(at: usize) -> Fault {
    let problem =
        format!("the expression is nested deeper than {EXPRESSION_DEPTH_MAX} (expression_depth_max)");
    Fault::new(at, problem, "Make it simpler, or have the app decide: `custom.NAME`.")
}
