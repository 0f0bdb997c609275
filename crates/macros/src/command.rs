//! `#[command]` and `commands![…]`.

use crate::shape;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, Ident, ItemFn, Pat, Path, Receiver, Result, ReturnType, Signature, Token, Type,
};

/// What a parameter is filled with.
enum Source {
    /// A value of the page's arguments.
    Argument,
    /// The raw body of the call.
    Raw,
    /// Something of the app: state, kept state, an exclusive resource, app handle, window handle.
    App,
}

/// A function or a method that the page may call.
pub struct Callable<'a> {
    /// Its parameters and its output.
    pub signature: &'a Signature,
    /// Its attributes, for the doc comment.
    pub attributes: &'a [Attribute],
    /// What the page calls it.
    pub name: String,
    /// How Rust calls it.
    pub path: TokenStream,
    /// It is a method of a service: `&self` is what the app has of `Self`.
    pub method: bool,
    /// It changes nothing, says its author.
    pub read_only: bool,
}

/// What stands behind `command` in the attribute.
pub fn is_read_only(attribute: TokenStream) -> Result<bool> {
    use syn::parse::Parser;
    let mut read_only = false;
    let parser = syn::meta::parser(|meta| {
        if !meta.path.is_ident("read_only") {
            return Err(meta.error("#[command] knows only `read_only`"));
        }
        read_only = true;
        Ok(())
    });
    parser.parse2(attribute)?;
    Ok(read_only)
}

/// Keeps the function and puts a hidden function beside it that makes the command's record.
pub fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let read_only = is_read_only(attribute)?;
    let function: ItemFn = syn::parse2(item)?;
    let name = &function.sig.ident;
    let record = record(&Callable {
        signature: &function.sig,
        attributes: &function.attrs,
        name: name.unraw().to_string(),
        path: quote!(#name),
        method: false,
        read_only,
    })?;
    let hidden = format_ident!("__staysail_command_{name}");
    let visibility = &function.vis;
    Ok(quote! {
        #function

        #[doc(hidden)]
        #[allow(non_snake_case)]
        #visibility fn #hidden() -> ::staysail::__private::Command {
            #record
        }
    })
}

/// An expression that makes the command's record.
pub fn record(callable: &Callable<'_>) -> Result<TokenStream> {
    let Callable { signature, name: command_name, path, read_only, .. } = callable;
    if let Some(parameter) = signature.generics.params.first() {
        return Err(Error::new(
            parameter.span(),
            "a command can not be generic: the page does not say for which types it calls",
        ));
    }
    let doc = doc_of(callable.attributes);
    let (mut fetch, mut pass, mut arguments, mut needs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, input) in signature.inputs.iter().enumerate() {
        let parameter = match input {
            FnArg::Receiver(receiver) => {
                if !callable.method {
                    return Err(Error::new(
                        receiver.span(),
                        "a command is a free function, without self; methods are commands in an impl block with \
                         #[service]",
                    ));
                }
                shared(receiver)?;
                fetch.push(quote! {
                    let __service: ::staysail::State<Self> = ::staysail::__private::FromCall::from_call(&call)?;
                });
                pass.push(quote!(&__service));
                continue;
            }
            FnArg::Typed(parameter) => parameter,
        };
        let Pat::Ident(pattern) = parameter.pat.as_ref() else {
            return Err(Error::new(parameter.pat.span(), "name this parameter: the page passes it by name"));
        };
        let (key, ty) = (pattern.ident.unraw().to_string(), &parameter.ty);
        if let Type::Reference(reference) = ty.as_ref() {
            return Err(Error::new(
                reference.span(),
                "a command's parameters are owned: write `String` for `&str`, `State<T>` for `&T`",
            ));
        }
        let variable = format_ident!("__argument_{index}");
        match source_of(ty) {
            Source::Argument => {
                let key = key.trim_start_matches('_').to_string();
                fetch.push(quote!(let #variable: #ty = arguments.take(#key)?;));
                let probe = probe(ty);
                arguments.push(quote!((#key, #probe)));
            }
            Source::Raw => fetch.push(quote!(let #variable: #ty = arguments.raw();)),
            Source::App => {
                fetch.push(from_call(&variable, ty));
                needs.push(need(ty));
            }
        }
        pass.push(quote!(#variable));
    }

    let call = quote!(#path(#(#pass),*));
    let answer_of = |value: TokenStream| {
        if is_result(&signature.output) {
            quote! {
                match #value {
                    Ok(value) => (&&::staysail::__private::Answer::of(value)).answer(),
                    Err(error) => Err((&&&::staysail::__private::Failure(error)).failure()),
                }
            }
        } else {
            quote!((&&::staysail::__private::Answer::of(#value)).answer())
        }
    };
    let run = if signature.asyncness.is_some() {
        let answer = answer_of(quote!(#call.await));
        quote!(::staysail::__private::Run::Async(::std::boxed::Box::pin(async move { #answer })))
    } else {
        let answer = answer_of(call);
        quote!(::staysail::__private::Run::Blocking(::std::boxed::Box::new(move || { #answer })))
    };
    let output: Type = match &signature.output {
        ReturnType::Default => syn::parse_quote!(()),
        ReturnType::Type(_, ty) => ty.as_ref().clone(),
    };
    let (result, error) = if is_result(&signature.output) {
        let output = shape::of(&output).unwrap_or(output);
        (
            probe(&syn::parse_quote!(<#output as ::staysail::__private::ResultParts>::Value)),
            probe(&syn::parse_quote!(<#output as ::staysail::__private::ResultParts>::Error)),
        )
    } else {
        (probe(&output), quote!(|_| ::std::string::String::from("never")))
    };

    Ok(quote! {{
        #[allow(unused_imports)]
        use ::staysail::__private::{
            AnswerBytes as _, AnswerJson as _, AnswerText as _, FailureDisplay as _, FailureFull as _, FailureJson as _,
            KnownType as _, UnknownType as _,
        };
        #[allow(clippy::let_unit_value, clippy::unit_arg, clippy::needless_borrow)]
        ::staysail::__private::Command {
            name: #command_name,
            describe: |types| ::staysail::__private::describe_command(
                types, #command_name, #doc, &[#(#arguments),*], #result, #error, #read_only,
            ),
            needs: || ::std::vec![#(#needs),*],
            prepare: |call| {
                #[allow(unused_mut, unused_variables)]
                let mut arguments = ::staysail::__private::Arguments::read(&call)?;
                #(#fetch)*
                Ok(#run)
            },
        }
    }})
}

/// A closure that describes the type.
fn probe(ty: &Type) -> TokenStream {
    let shape = shape::of(ty);
    let ty = shape.as_ref().unwrap_or(ty);
    quote! {
        (|types| (&&::staysail::__private::Probe::<#ty>::new()).describe(types)) as ::staysail::__private::Describe
    }
}

/// Fills a parameter with what the app has.
pub fn from_call(variable: &Ident, ty: &Type) -> TokenStream {
    quote!(let #variable: #ty = ::staysail::__private::FromCall::from_call(&call)?;)
}

/// What the app must have for such a parameter.
pub fn need(ty: &Type) -> TokenStream {
    quote!(<#ty as ::staysail::__private::FromCall>::need())
}

/// Whether a method takes `&self`, as all methods of a service do.
pub fn shared(receiver: &Receiver) -> Result<()> {
    if receiver.reference.is_some() && receiver.mutability.is_none() && receiver.colon_token.is_none() {
        return Ok(());
    }
    Err(Error::new(
        receiver.span(),
        "write `&self`: calls run side by side and share the service; what changes in it goes behind a lock",
    ))
}

/// `commands![a, b::c]` names the hidden functions beside `a` and `b::c`.
pub fn list(input: TokenStream) -> Result<TokenStream> {
    use syn::parse::Parser;
    let paths = Punctuated::<Path, Token![,]>::parse_terminated.parse2(input)?;
    let records = paths.into_iter().map(|mut path| {
        if let Some(last) = path.segments.last_mut() {
            last.ident = format_ident!("__staysail_command_{}", last.ident);
        }
        quote!(#path())
    });
    Ok(quote!(::std::vec![#(#records),*]))
}

pub fn last_segment(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

fn source_of(ty: &Type) -> Source {
    match last_segment(ty).as_deref() {
        Some("State" | "Kept" | "Held" | "AppHandle" | "WindowHandle") => Source::App,
        Some("Bytes") => Source::Raw,
        _ => Source::Argument,
    }
}

pub fn is_result(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, ty) if last_segment(ty).as_deref() == Some("Result"))
}

fn doc_of(attributes: &[Attribute]) -> String {
    let lines =
        attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
            match &attribute.meta.require_name_value().ok()?.value {
                syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                    Some(text.value().trim().to_string())
                }
                _ => None,
            }
        });
    lines.collect::<Vec<_>>().join("\n")
}
