//! What an app says of itself: TypeScript types of its commands and events, and the hash over them.
//!
//! # Theory of operation
//! A type describes itself by name; the walk through what it is made of collects the declarations it needs. On that
//! walk everything is noticed that a page would be told wrongly: an integer of more than 53 bits on its way to the
//! page, two types of one name, a name that TypeScript or the generated file has taken. These are errors of the
//! app's declaration, found before anything runs, each with its place and its remedy.
//!
//! What a page only *sends* needs no such care: a number that JavaScript holds travels exactly.

use staysail_protocol::interface::{CommandSpec, Description, EventSpec, TypeSpec};
use std::any::{TypeId, type_name};
use std::collections::{BTreeMap, HashSet};
use std::marker::PhantomData;
use std::num::{NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU64, NonZeroU128, NonZeroUsize};
use ts_rs::{Config, TS, TypeVisitor};

/// Names a type can not have in the generated file: it uses them itself, or TypeScript has them.
const TAKEN: [&str; 19] = [
    "AppCommands",
    "AppEvents",
    "Array",
    "ArrayBuffer",
    "PageChannel",
    "PageSender",
    "Record",
    "any",
    "bigint",
    "boolean",
    "never",
    "null",
    "number",
    "object",
    "string",
    "symbol",
    "undefined",
    "unknown",
    "void",
];

const LARGE_INTEGERS: &str = "a page's number loses digits above 2^53 − 1, so say how such integers travel: on a field \
     with `#[data(number)]` (a number, or an error when it is too large) or `#[data(bigint)]` (all digits, as text), \
     elsewhere as `staysail::Number<u64>` or `staysail::BigInt<u64>`; or use a smaller integer";

/// Collects the named types that commands and events use.
pub struct Types {
    config: Config,
    /// Types walked through, and whether on the way to the page.
    seen: HashSet<(TypeId, bool)>,
    declared: BTreeMap<String, Declared>,
    /// Where the walk is: what it began with, then the named types it went into.
    place: Vec<String>,
    outgoing: bool,
    problems: Vec<String>,
    /// Among them are large integers.
    large: bool,
}

struct Declared {
    rust: &'static str,
    declaration: String,
}

impl Default for Types {
    fn default() -> Self {
        Self {
            config: Config::new().with_large_int("number"),
            seen: HashSet::new(),
            declared: BTreeMap::new(),
            place: Vec::new(),
            outgoing: true,
            problems: Vec::new(),
            large: false,
        }
    }
}

impl Types {
    /// The TypeScript name of `T`, whose declaration is collected along with all it needs.
    pub fn name_of<T: TS + 'static + ?Sized>(&mut self) -> String {
        self.visit::<T>();
        // Keys that only JSON knows as text.
        T::name(&self.config).replace("[key in boolean]:", "[key in \"true\" | \"false\"]?:")
    }

    /// Describes something that goes to the page; `place` says what, for people.
    pub fn to_page(&mut self, place: String, describe: impl FnOnce(&mut Self) -> String) -> String {
        self.at(place, true, describe)
    }

    /// Describes something that only comes from the page.
    pub fn from_page(&mut self, place: String, describe: impl FnOnce(&mut Self) -> String) -> String {
        self.at(place, false, describe)
    }

    fn at(&mut self, place: String, outgoing: bool, describe: impl FnOnce(&mut Self) -> String) -> String {
        self.place.push(place);
        self.outgoing = outgoing;
        let name = describe(self);
        self.place.pop();
        name
    }

    /// The collected declarations, sorted by name.
    ///
    /// # Errors
    /// What a page would be told wrongly, one sentence each.
    pub fn declarations(self) -> Result<Vec<TypeSpec>, Vec<String>> {
        if !self.problems.is_empty() {
            let advice = self.large.then(|| LARGE_INTEGERS.to_string());
            return Err(self.problems.into_iter().chain(advice).collect());
        }
        let specs = self.declared.into_iter();
        Ok(specs.map(|(name, Declared { declaration, .. })| TypeSpec { name, declaration }).collect())
    }

    fn problem(&mut self, problem: String) {
        // One type is met on several ways.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn large_integer(&mut self, integer: &'static str) {
        let (begin, owner) = (self.place.first(), self.place.last());
        let (begin, owner) = (begin.map_or("", String::as_str), owner.map_or("", String::as_str));
        let way = if begin == owner { String::new() } else { format!(", on its way to the page in {begin}") };
        let problem = format!("{owner} holds a `{integer}`{way}");
        self.problem(problem);
        self.large = true;
    }

    fn declare<T: TS + 'static + ?Sized>(&mut self) {
        let name = T::ident(&self.config);
        let rust = type_name::<T::WithoutGenerics>();
        if let Some(other) = self.declared.get(&name) {
            if other.rust != rust {
                let other = other.rust;
                self.problem(format!(
                    "two types are named `{name}` for the page: `{other}` and `{rust}`; give one another name with \
                     `#[ts(rename = \"…\")]`"
                ));
            }
            return;
        }
        if TAKEN.contains(&name.as_str()) {
            self.problem(format!(
                "the type `{rust}` can not be named `{name}` for the page: that name has another meaning there; give \
                 it another one with `#[ts(rename = \"…\")]`"
            ));
        }
        let declaration =
            T::decl(&self.config).replace("[key in boolean]:", "[key in \"true\" | \"false\"]?:");
        let declaration = match T::docs() {
            Some(docs) => format!("{}\n{declaration}", docs.trim_end()),
            None => declaration,
        };
        self.declared.insert(name, Declared { rust, declaration });
    }
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if self.outgoing
            && let Some(integer) = large_integer(TypeId::of::<T>())
        {
            return self.large_integer(integer);
        }
        // Only derived types have a place to be exported to, and a declaration. What is in all others (`Option`,
        // `Vec`, tuples) are their generics.
        if T::output_path().is_some() {
            if !self.seen.insert((TypeId::of::<T>(), self.outgoing)) {
                return;
            }
            self.declare::<T>();
            self.place.push(format!("the type `{}`", type_name::<T>()));
            T::visit_dependencies(self);
            self.place.pop();
        }
        let outgoing = self.outgoing;
        self.outgoing |= is_channel(type_name::<T>());
        T::visit_generics(self);
        self.outgoing = outgoing;
    }
}

/// Whether a type's values are messages to the page, though it is an argument itself.
fn is_channel(name: &str) -> bool {
    let channel = type_name::<crate::Channel<()>>().trim_end_matches("()>");
    name.starts_with(channel)
}

/// The name of the type when it is an integer of more than 53 bits.
fn large_integer(ty: TypeId) -> Option<&'static str> {
    let large = [
        (TypeId::of::<u64>(), "u64"),
        (TypeId::of::<i64>(), "i64"),
        (TypeId::of::<u128>(), "u128"),
        (TypeId::of::<i128>(), "i128"),
        (TypeId::of::<usize>(), "usize"),
        (TypeId::of::<isize>(), "isize"),
        (TypeId::of::<NonZeroU64>(), "NonZeroU64"),
        (TypeId::of::<NonZeroI64>(), "NonZeroI64"),
        (TypeId::of::<NonZeroU128>(), "NonZeroU128"),
        (TypeId::of::<NonZeroI128>(), "NonZeroI128"),
        (TypeId::of::<NonZeroUsize>(), "NonZeroUsize"),
        (TypeId::of::<NonZeroIsize>(), "NonZeroIsize"),
    ];
    large.into_iter().find(|(large, _)| *large == ty).map(|(_, name)| name)
}

/// Asks for the description of a type, whether or not it has one.
pub struct Probe<T: ?Sized>(PhantomData<T>);

impl<T: ?Sized> Probe<T> {
    /// A question.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

/// Types that describe themselves.
pub trait KnownType {
    /// The TypeScript name.
    fn describe(&self, types: &mut Types) -> String;
}

impl<T: TS + 'static + ?Sized> KnownType for &Probe<T> {
    fn describe(&self, types: &mut Types) -> String {
        types.name_of::<T>()
    }
}

/// All other types.
pub trait UnknownType {
    /// `unknown`, or what Staysail knows itself.
    fn describe(&self, types: &mut Types) -> String;
}

impl<T: ?Sized> UnknownType for Probe<T> {
    fn describe(&self, _types: &mut Types) -> String {
        match type_name::<T>() {
            name if name == type_name::<crate::Bytes>() => "ArrayBuffer".into(),
            _ => "unknown".into(),
        }
    }
}

/// Describes one type.
pub type Describe = fn(&mut Types) -> String;

/// Puts a command's description together.
pub fn describe_command(
    types: &mut Types,
    name: &str,
    doc: &str,
    arguments: &[(&str, Describe)],
    result: Describe,
    error: Describe,
    read_only: bool,
) -> CommandSpec {
    let fields: Vec<String> = arguments
        .iter()
        .map(|(argument, describe)| {
            let ty = types.from_page(format!("the argument `{argument}` of the command `{name}`"), describe);
            let optional = if ty.ends_with("| null") { "?" } else { "" };
            format!("{argument}{optional}: {ty}")
        })
        .collect();
    let arguments = if fields.is_empty() { "{}".into() } else { format!("{{ {} }}", fields.join("; ")) };
    let result = types.to_page(format!("the answer of the command `{name}`"), result);
    let error = types.to_page(format!("the error of the command `{name}`"), error);
    CommandSpec { name: name.into(), arguments, result, error, doc: doc.into(), read_only }
}

/// Sorts, and fills in the interface hash.
pub fn finish(mut description: Description) -> Description {
    description.commands.sort_by(|a, b| a.name.cmp(&b.name));
    description.events.sort_by(|a: &EventSpec, b| a.name.cmp(&b.name));
    description.interface = description.interface_hash();
    description
}

#[cfg(test)]
mod tests;
