//! The attribute and macros of the crate `staysail`. Use them through it.
//!
//! **Invariant:** generated code names `::staysail` only, so an app needs no other dependency for it.

mod command;
mod data;
mod faithful;
mod service;
mod shape;
mod state;

use proc_macro::TokenStream;

/// Makes a function callable from the page. See `staysail::command`.
#[proc_macro_attribute]
pub fn command(attribute: TokenStream, item: TokenStream) -> TokenStream {
    command::expand(attribute.into(), item.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// Lists commands for `App::commands`. See `staysail::commands`.
#[proc_macro]
pub fn commands(input: TokenStream) -> TokenStream {
    command::list(input.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// Derives what a type needs to cross the bridge. See `staysail::data`.
#[proc_macro_attribute]
pub fn data(attribute: TokenStream, item: TokenStream) -> TokenStream {
    data::expand(attribute.into(), item.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// Makes a type a service, its methods commands. See `staysail::Service`.
#[proc_macro_attribute]
pub fn service(attribute: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(attribute.into(), item.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// Names a type as an event. See `staysail::Event`.
#[proc_macro_derive(Event, attributes(event))]
pub fn event(item: TokenStream) -> TokenStream {
    data::event(item.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// Names a type as kept state. See `staysail::KeptState`.
#[proc_macro_derive(State, attributes(state))]
pub fn state(item: TokenStream) -> TokenStream {
    state::expand(item.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}
