//! `#[service]`.

use crate::command::{self, Callable};
use crate::data::separated;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Error, FnArg, ImplItem, ImplItemFn, ItemImpl, LitStr, Meta, Result, ReturnType, Type};

/// The attributes that mean something within the impl block.
const MARKS: [&str; 3] = ["command", "start", "stop"];

/// Keeps the impl block without the marks and puts beside it what makes the type a service.
pub fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut block: ItemImpl = syn::parse2(item)?;
    if let Some((_, path, _)) = &block.trait_ {
        return Err(Error::new(
            path.span(),
            "#[service] belongs to the type's own impl block, not to a trait's",
        ));
    }
    if let Some(parameter) = block.generics.params.first() {
        return Err(Error::new(
            parameter.span(),
            "a service can not be generic: it is one value of one type, and its commands have one name each",
        ));
    }
    let ty = block.self_ty.as_ref().clone();
    let name = name_of(attribute, &ty)?;
    let (mut commands, mut start, mut stop) = (Vec::new(), None, None);
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        match take_mark(method)? {
            Some(("command", read_only)) => commands.push(command::record(&Callable {
                signature: &method.sig,
                attributes: &method.attrs,
                name: format!("{name}.{}", method.sig.ident.unraw()),
                path: path_of(method),
                method: true,
                read_only,
            })?),
            Some(("start", _)) => once(&mut start, starting(method)?, method)?,
            Some(_) => once(&mut stop, stopping(method)?, method)?,
            None => {}
        }
    }
    let (needs, start) = start.unwrap_or_else(|| {
        let default = quote!(<Self as ::std::default::Default>::default());
        let run = quote!(::std::result::Result::Ok(::std::sync::Arc::new(#default) as ::staysail::__private::Instance));
        let work = quote!(::staysail::__private::Work::Blocking(::std::boxed::Box::new(|| #run)));
        (Vec::new(), quote!(|_| ::std::result::Result::Ok(#work)))
    });
    let stop = stop.map_or_else(
        || quote!(::std::option::Option::None),
        |stop| quote!(::std::option::Option::Some(#stop)),
    );
    Ok(quote! {
        #block

        impl ::staysail::Service for #ty {
            const NAME: &'static str = #name;

            fn definition() -> ::staysail::__private::ServiceDefinition {
                ::staysail::__private::ServiceDefinition {
                    name: #name,
                    ty: ::std::any::TypeId::of::<Self>(),
                    type_name: ::std::any::type_name::<Self>(),
                    needs: || ::std::vec![#(#needs),*],
                    start: #start,
                    stop: #stop,
                    commands: || ::std::vec![#(#commands),*],
                }
            }
        }
    })
}

fn name_of(attribute: TokenStream, ty: &Type) -> Result<String> {
    let own = command::last_segment(ty)
        .ok_or_else(|| Error::new(ty.span(), "a service is a struct or an enum of yours"))?;
    let mut name = separated(&own, '_');
    let parser = syn::meta::parser(|meta| {
        if !meta.path.is_ident("name") {
            return Err(meta.error("only `name = \"…\"` is known here"));
        }
        let given: LitStr = meta.value()?.parse()?;
        name = given.value();
        if name.is_empty() || name.contains(|character: char| character.is_whitespace() || character == '.') {
            return Err(Error::new(given.span(), "a name of at least one letter, without spaces and dots"));
        }
        Ok(())
    });
    parser.parse2(attribute)?;
    Ok(name)
}

/// Takes the mark off a method, because nothing else knows it. Says, too, whether it is `read_only`.
fn take_mark(method: &mut ImplItemFn) -> Result<Option<(&'static str, bool)>> {
    let mark_of = |attribute: &syn::Attribute| {
        let last = attribute.path().segments.last()?;
        MARKS.into_iter().find(|mark| last.ident == mark)
    };
    let mut marks = method.attrs.iter().filter_map(|attribute| Some((mark_of(attribute)?, attribute)));
    let first = marks.next();
    if let Some((_, second)) = marks.next() {
        return Err(Error::new(second.span(), "a method is one of #[command], #[start] and #[stop]"));
    }
    drop(marks);
    let first = match first {
        Some((mark, attribute)) => {
            let arguments = match &attribute.meta {
                Meta::Path(_) => TokenStream::new(),
                meta => meta.require_list()?.tokens.clone(),
            };
            if mark != "command" && !arguments.is_empty() {
                return Err(Error::new(arguments.span(), format!("#[{mark}] takes no arguments")));
            }
            Some((mark, command::is_read_only(arguments)?))
        }
        None => None,
    };
    method.attrs.retain(|attribute| mark_of(attribute).is_none());
    Ok(first)
}

fn once<T>(place: &mut Option<T>, value: T, method: &ImplItemFn) -> Result<()> {
    match place.replace(value) {
        Some(_) => Err(Error::new(method.sig.ident.span(), "a service starts once and stops once")),
        None => Ok(()),
    }
}

fn path_of(method: &ImplItemFn) -> TokenStream {
    let ident = &method.sig.ident;
    quote!(Self::#ident)
}

/// What the start needs, and what makes its work.
fn starting(method: &ImplItemFn) -> Result<(Vec<TokenStream>, TokenStream)> {
    let (mut needs, mut fetch, mut pass) = (Vec::new(), Vec::new(), Vec::new());
    for (index, input) in method.sig.inputs.iter().enumerate() {
        let FnArg::Typed(parameter) = input else {
            return Err(Error::new(input.span(), "the start makes the service: it has no self yet"));
        };
        let ty = parameter.ty.as_ref();
        if !matches!(command::last_segment(ty).as_deref(), Some("State" | "Kept" | "AppHandle")) {
            return Err(Error::new(
                ty.span(),
                "a service starts before any page calls: its parameters are `AppHandle`, `State<T>` of other services \
                 and of what the app manages, and `Kept<T>`",
            ));
        }
        let variable = format_ident!("__argument_{index}");
        fetch.push(command::from_call(&variable, ty));
        needs.push(command::need(ty));
        pass.push(variable);
    }
    let path = path_of(method);
    let started = ended(&method.sig, quote!(#path(#(#pass),*)));
    let instance = quote!(::std::sync::Arc::new(service) as ::staysail::__private::Instance);
    let work = work(method, quote!(#started.map(|service: Self| #instance)));
    Ok((needs, quote!(|call| { let _ = &call; #(#fetch)* ::std::result::Result::Ok(#work) })))
}

/// What makes the work of stopping.
fn stopping(method: &ImplItemFn) -> Result<TokenStream> {
    let mut inputs = method.sig.inputs.iter();
    match (inputs.next(), inputs.next()) {
        (Some(FnArg::Receiver(receiver)), None) => command::shared(receiver)?,
        _ => {
            return Err(Error::new(
                method.sig.span(),
                "the stop has `&self` and nothing else: keep what it needs there",
            ));
        }
    }
    let path = path_of(method);
    let stopped = ended(&method.sig, quote!(#path(&service)));
    let work = work(
        method,
        quote!(match service.downcast::<Self>() {
            ::std::result::Result::Ok(service) => #stopped,
            ::std::result::Result::Err(_) => ::std::result::Result::Ok(()),
        }),
    );
    Ok(quote!(|service| #work))
}

/// The outcome of a start or a stop as a `Result` with a text as its error.
fn ended(signature: &syn::Signature, call: TokenStream) -> TokenStream {
    let call = if signature.asyncness.is_some() { quote!(#call.await) } else { call };
    if command::is_result(&signature.output) {
        quote!(#call.map_err(|error| ::std::format!("{error:#}")))
    } else if matches!(signature.output, ReturnType::Default) {
        quote!({ #call; ::std::result::Result::<(), ::std::string::String>::Ok(()) })
    } else {
        quote!(::std::result::Result::<_, ::std::string::String>::Ok(#call))
    }
}

fn work(method: &ImplItemFn, outcome: TokenStream) -> TokenStream {
    if method.sig.asyncness.is_some() {
        quote!(::staysail::__private::Work::Async(::std::boxed::Box::pin(async move { #outcome })))
    } else {
        quote!(::staysail::__private::Work::Blocking(::std::boxed::Box::new(move || #outcome)))
    }
}

#[cfg(test)]
mod tests {
    use super::expand;
    use proc_macro2::TokenStream;
    use quote::quote;

    fn refusal(attribute: TokenStream, item: TokenStream) -> String {
        expand(attribute, item).expect_err("refused").to_string()
    }

    #[test]
    fn what_can_be_no_service_is_refused_with_the_reason() {
        for (item, reason) in [
            (
                quote!(
                    impl<T> Library<T> {}
                ),
                "generic",
            ),
            (quote!(impl Clone for Library {}), "own impl block"),
            (quote!(impl Library { #[command] fn a(&mut self) {} }), "&self"),
            (quote!(impl Library { #[command] fn a(self) {} }), "&self"),
            (quote!(impl Library { #[start] fn a(&self) -> Self {} }), "no self yet"),
            (quote!(impl Library { #[start] fn a(name: String) -> Self {} }), "State<T>"),
            (quote!(impl Library { #[stop] fn a(&self, app: AppHandle) {} }), "nothing else"),
            (quote!(impl Library { #[stop] fn a(&self) {} #[stop] fn b(&self) {} }), "once"),
            (quote!(impl Library { #[stop] #[command] fn a(&self) {} }), "one of"),
            (quote!(impl Library { #[command(readonly)] fn a(&self) {} }), "knows only `read_only`"),
            (quote!(impl Library { #[stop(read_only)] fn a(&self) {} }), "no arguments"),
        ] {
            let message = refusal(quote!(), item);
            assert!(message.contains(reason), "{reason}: {message}");
        }
        assert!(refusal(quote!(name = "a.b"), quote!(impl Library {})).contains("dots"));
        assert!(refusal(quote!(title = "a"), quote!(impl Library {})).contains("name"));
    }

    #[test]
    fn names_are_the_types_in_snake_case_or_the_given_ones() {
        let named = |attribute| {
            let item = quote!(impl NoteIndex { #[command] fn search(&self) {} });
            expand(attribute, item).unwrap().to_string()
        };
        assert!(named(quote!()).contains("\"note_index.search\""));
        assert!(named(quote!(name = "notes")).contains("\"notes.search\""));
    }
}
