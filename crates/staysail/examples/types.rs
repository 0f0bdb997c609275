//! Every kind of type that may cross the bridge. The TypeScript made of it is checked by the compiler against the JSON
//! that is really written: `--samples` prints that, one value a line. For tests.

use serde::Serialize;
use serde::de::DeserializeOwned;
use staysail::ts_rs::{Config, TS};
use staysail::{App, BigInt, Bytes, Channel, Number, Receiver, command, commands};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A plain struct.
///
/// Its comment has two paragraphs and what would end one: */
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Note {
    /// Its title, with "quotes".
    title: String,
    tags: Vec<String>,
    parent: Option<String>,
    stars: u8,
    ratio: f64,
    initial: char,
    pinned: bool,
    nothing: (),
    pair: (u32, String),
    three: [i16; 3],
    path: PathBuf,
    address: IpAddr,
    shared: Box<Option<u32>>,
}

/// Integers that a page's number can not hold, each chosen.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Large {
    #[data(bigint)]
    most: u64,
    #[data(bigint)]
    least: i64,
    #[data(bigint)]
    widest: i128,
    #[data(bigint)]
    tallest: u128,
    #[data(number)]
    words: usize,
    #[data(number)]
    offset: isize,
    #[data(number)]
    maybe: Option<i64>,
    #[data(bigint)]
    none: Option<u64>,
    list: Vec<BigInt<u64>>,
    by_id: BTreeMap<BigInt<u64>, Number<i64>>,
}

/// Times of the standard library.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Times {
    changed: SystemTime,
    took: Option<Duration>,
    all: Vec<std::time::Duration>,
}

/// What other crates have, each by a feature of `staysail`.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Dates {
    born: chrono::NaiveDate,
    seen: chrono::DateTime<chrono::Utc>,
    stamped: jiff::Timestamp,
    day: Option<jiff::civil::Date>,
    id: uuid::Uuid,
    home: url::Url,
}

/// Names and presence.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Named {
    first_name: String,
    #[serde(rename = "type", alias = "sort")]
    kind: String,
    #[serde(rename = "with-dash")]
    dashed: u32,
    r#match: bool,
    #[serde(skip)]
    secret: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    defaulted: Vec<u32>,
    #[serde(flatten)]
    position: Position,
    #[serde(flatten)]
    more: BTreeMap<String, serde_json::Value>,
}

#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Position {
    x: f64,
    y: f64,
}

/// A newtype.
#[staysail::data]
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct NoteId(String);

#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Pair(u32, NoteId);

#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Unit;

#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Empty {}

/// One page of anything.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Page<T> {
    items: Vec<T>,
    next: Option<u32>,
}

#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Both<A, B> {
    left: A,
    right: Option<B>,
}

/// Recursive.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Tree {
    name: String,
    children: Vec<Tree>,
    index: BTreeMap<String, Tree>,
}

#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct Maps {
    by_name: HashMap<String, Position>,
    by_number: BTreeMap<u32, Vec<u8>>,
    by_newtype: BTreeMap<NoteId, u32>,
    by_enum: BTreeMap<Colour, u32>,
    by_truth: BTreeMap<bool, u32>,
    unique: BTreeSet<u32>,
}

#[staysail::data]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
enum Colour {
    DarkRed,
    #[serde(rename = "azure")]
    Blue,
}

/// Externally tagged.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
enum External {
    Nothing,
    One(Option<u32>),
    Two(u32, String),
    Named {
        /// A field of a variant.
        id: NoteId,
    },
    Of(Position),
}

/// Internally tagged.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Internal {
    NoSize,
    WithSize { inner_size: u32 },
    At(Position),
}

/// Adjacently tagged.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Nothing,
    One(Colour),
    Two(u32, String),
    Named { id: u32 },
}

#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Text(String),
    Many(Vec<Untagged>),
    Named { id: NoteId },
    Null,
}

/// A type whose JSON is another type's.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
#[serde(try_from = "String", into = "String")]
#[ts(as = "String")]
struct Mail(String);

impl TryFrom<String> for Mail {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.contains('@') { Ok(Self(text)) } else { Err("no @") }
    }
}

impl From<Mail> for String {
    fn from(mail: Mail) -> Self {
        mail.0
    }
}

/// Named like the library's own type, which it must not be taken for.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
struct PageEvent {
    turned: u32,
}

/// Why something is refused.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
#[serde(tag = "reason", rename_all = "snake_case")]
enum Refusal {
    TooLarge {
        /// The largest allowed.
        most: u32,
    },
    Locked,
}

/// Told when a note was saved.
#[staysail::data]
#[derive(Debug, Clone, PartialEq, staysail::Event)]
struct NoteSaved {
    id: NoteId,
    #[data(bigint)]
    revision: u64,
}

mod other {
    /// Called `Note`, too.
    #[staysail::data]
    #[derive(Debug, Clone, PartialEq)]
    #[ts(rename = "OtherNote")]
    pub struct Note {
        pub text: String,
    }
}

/// Looks for notes.
///
/// `limit` is how many at most.
#[command]
fn search(query: String, limit: Option<u32>, r#type: Colour) -> Result<Page<Note>, Refusal> {
    Err(Refusal::TooLarge { most: query.len() as u32 + limit.unwrap_or_default() + r#type as u32 })
}

/// The widths that only come from the page need no choice.
#[command]
fn wait(milliseconds: u64, offset: isize) -> Number<u64> {
    Number(milliseconds.saturating_add_signed(offset as i64))
}

#[command]
fn next_id(after: BigInt<u64>) -> BigInt<u64> {
    BigInt(after.0.wrapping_add(1))
}

#[command]
fn age(since: SystemTime) -> Result<Duration, String> {
    since.elapsed().map_err(|error| error.to_string())
}

#[command]
fn large(large: Large) -> Large {
    large
}

#[command]
fn times(times: Times) -> Times {
    times
}

#[command]
fn dates(dates: Dates) -> Dates {
    dates
}

#[command]
fn named(named: Named, _extra: Option<Mail>) -> Named {
    named
}

#[command]
fn shapes(maps: Maps, tree: Tree) -> (External, Internal, Adjacent, Untagged, Unit, Empty, Pair) {
    let external = External::Two(maps.unique.len() as u32, tree.name);
    (
        external,
        Internal::NoSize,
        Adjacent::Nothing,
        Untagged::Null,
        Unit,
        Empty {},
        Pair(1, NoteId("a".into())),
    )
}

#[command]
fn nested() -> Page<Both<Page<NoteId>, Option<other::Note>>> {
    Page { items: Vec::new(), next: None }
}

#[command]
fn turned() -> PageEvent {
    PageEvent { turned: 1 }
}

#[command]
fn anything(value: serde_json::Value) -> serde_json::Value {
    value
}

#[command]
fn upload(bytes: Bytes) -> Bytes {
    bytes
}

/// Streams to the page and from it.
#[command]
fn convert(progress: Channel<PageEvent>, chunks: Receiver<Bytes>, done: Option<Channel<Duration>>) {
    drop((progress, chunks, done));
}

#[command]
fn forget() {}

/// One line: the TypeScript type, a tab, and the JSON that serde writes; it must come back as it was.
fn sample<T: TS + Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let json = serde_json::to_string(&value).expect("serialises");
    let back: T = serde_json::from_str(&json).expect("comes back");
    assert_eq!(back, value, "{json}");
    println!("{}\t{json}", T::name(&Config::new()));
}

fn note() -> Note {
    Note {
        title: "Say \"hi\"".into(),
        tags: vec!["a".into()],
        parent: None,
        stars: 5,
        ratio: 0.5,
        initial: 'é',
        pinned: true,
        nothing: (),
        pair: (1, "two".into()),
        three: [-1, 0, 1],
        path: "/tmp/x".into(),
        address: Ipv4Addr::LOCALHOST.into(),
        shared: Box::new(Some(1)),
    }
}

fn samples() {
    let id = || NoteId("a".into());
    let at = || Position { x: 1.5, y: -2.5 };
    let leaf = || Tree { name: "leaf".into(), children: Vec::new(), index: BTreeMap::new() };
    sample(note());
    sample(Large {
        most: u64::MAX,
        least: i64::MIN,
        widest: i128::MIN,
        tallest: u128::MAX,
        words: (1 << 53) - 1,
        offset: -(1 << 53) + 1,
        maybe: Some(-(1 << 53) + 1),
        none: None,
        list: vec![BigInt(0), BigInt(u64::MAX)],
        by_id: BTreeMap::from([(BigInt(u64::MAX), Number(1))]),
    });
    let changed = UNIX_EPOCH + Duration::new(1_700_000_000, 5);
    sample(Times { changed, took: Some(Duration::from_millis(1_500)), all: vec![Duration::ZERO] });
    sample(Dates {
        born: chrono::NaiveDate::from_ymd_opt(1815, 12, 10).expect("a day"),
        seen: chrono::DateTime::from_timestamp(1_700_000_000, 5).expect("a time"),
        stamped: jiff::Timestamp::from_second(1_700_000_000).expect("a time"),
        day: Some(jiff::civil::date(1852, 11, 27)),
        id: uuid::Uuid::from_u128(7),
        home: url::Url::parse("https://example.com/a?b#c").expect("an address"),
    });
    let named = |left_out, defaulted| Named {
        first_name: "Ada".into(),
        kind: "person".into(),
        dashed: 1,
        r#match: true,
        secret: String::new(),
        left_out,
        defaulted,
        position: at(),
        more: BTreeMap::from([("free".into(), serde_json::json!({ "deep": [1, null] }))]),
    };
    sample(named(None, Vec::new()));
    sample(named(Some(1), vec![1]));
    sample(id());
    sample(Pair(1, id()));
    sample(Unit);
    sample(Empty {});
    sample(Page { items: vec![note()], next: Some(2) });
    let inner = Page { items: vec![id()], next: None };
    sample(Page { items: vec![Both { left: inner, right: Some(at()) }], next: None });
    sample(Tree {
        name: "root".into(),
        children: vec![leaf()],
        index: BTreeMap::from([("leaf".into(), leaf())]),
    });
    sample(Maps {
        by_name: HashMap::from([("here".into(), at())]),
        by_number: BTreeMap::from([(7, vec![1, 2])]),
        by_newtype: BTreeMap::from([(id(), 1)]),
        by_enum: BTreeMap::from([(Colour::DarkRed, 1)]),
        by_truth: BTreeMap::from([(true, 1)]),
        unique: BTreeSet::from([3]),
    });
    sample(Colour::DarkRed);
    sample(Colour::Blue);
    sample(External::Nothing);
    sample(External::One(None));
    sample(External::One(Some(1)));
    sample(External::Two(1, "b".into()));
    sample(External::Named { id: id() });
    sample(External::Of(at()));
    sample(Internal::NoSize);
    sample(Internal::WithSize { inner_size: 1 });
    sample(Internal::At(at()));
    sample(Adjacent::Nothing);
    sample(Adjacent::One(Colour::Blue));
    sample(Adjacent::Two(1, "b".into()));
    sample(Adjacent::Named { id: 1 });
    sample(Untagged::Number(1));
    sample(Untagged::Many(vec![Untagged::Text("a".into()), Untagged::Null]));
    sample(Untagged::Named { id: id() });
    sample(Mail("a@b".into()));
    sample(Refusal::TooLarge { most: 9 });
    sample(Refusal::Locked);
    sample(NoteSaved { id: id(), revision: u64::MAX });
    sample(PageEvent { turned: 1 });
    sample(other::Note { text: "x".into() });
    sample(BigInt(i64::MIN));
    sample(Number(-5_i64));
    sample((Some(1_u32), [true, false]));
}

fn main() -> staysail::Result {
    if std::env::args().nth(1).as_deref() == Some("--samples") {
        samples();
        return Ok(());
    }
    App::new("dev.staysail.types")
        .event::<NoteSaved>()
        .commands(commands![search, wait, next_id, age, large, times, dates, named, shapes, nested])
        .commands(commands![turned, anything, upload, convert, forget])
        .run()
}
