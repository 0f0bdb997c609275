//! What an app says of itself: TypeScript types of its commands and events, and the hash over them.
//!
//! Integers of 64 and more bits are `number`, because they travel as JSON numbers; a page that needs all their
//! digits asks for a string.

use staysail_protocol::interface::{CommandSpec, Description, EventSpec, TypeSpec};
use std::any::TypeId;
use std::collections::{BTreeMap, HashSet};
use std::marker::PhantomData;
use ts_rs::{Config, TS, TypeVisitor};

/// Collects the named types that commands and events use.
pub struct Types {
    config: Config,
    seen: HashSet<TypeId>,
    declarations: BTreeMap<String, String>,
}

impl Default for Types {
    fn default() -> Self {
        Self {
            config: Config::new().with_large_int("number"),
            seen: HashSet::new(),
            declarations: BTreeMap::new(),
        }
    }
}

impl Types {
    /// The TypeScript name of `T`, whose declaration is collected along with all it needs.
    pub fn name_of<T: TS + 'static + ?Sized>(&mut self) -> String {
        self.visit::<T>();
        T::name(&self.config)
    }

    /// The collected declarations, sorted by name.
    pub fn declarations(self) -> Vec<TypeSpec> {
        let specs = self.declarations.into_iter();
        specs.map(|(name, declaration)| TypeSpec { name, declaration }).collect()
    }
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        // Only derived types have a place to be exported to, and a declaration.
        if T::output_path().is_some() {
            let declaration = T::decl(&self.config);
            let declaration = match T::docs() {
                Some(docs) => format!("{}\n{declaration}", docs.trim_end()),
                None => declaration,
            };
            self.declarations.insert(T::ident(&self.config), declaration);
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
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
        match std::any::type_name::<T>() {
            name if name == std::any::type_name::<crate::Bytes>() => "ArrayBuffer".into(),
            _ => "unknown".into(),
        }
    }
}

/// Puts a command's description together.
pub fn describe_command(
    name: &str,
    doc: &str,
    arguments: &[(&str, String)],
    result: String,
    error: String,
) -> CommandSpec {
    let fields: Vec<String> = arguments
        .iter()
        .map(|(name, ty)| {
            let optional = if ty.ends_with("| null") { "?" } else { "" };
            format!("{name}{optional}: {ty}")
        })
        .collect();
    let arguments = if fields.is_empty() { "{}".into() } else { format!("{{ {} }}", fields.join("; ")) };
    let result = if result == "null" { "null".into() } else { result };
    CommandSpec { name: name.into(), arguments, result, error, doc: doc.into() }
}

/// Sorts, and fills in the interface hash.
pub fn finish(mut description: Description) -> Description {
    description.commands.sort_by(|a, b| a.name.cmp(&b.name));
    description.events.sort_by(|a: &EventSpec, b| a.name.cmp(&b.name));
    description.interface = crate::app::hash(&description.interface_text());
    description
}
