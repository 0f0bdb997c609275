//! `#[command]` and `commands![…]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, Pat, Path, Result, ReturnType, Token, Type};

/// What a parameter is filled with.
enum Source {
    /// A value of the page's arguments.
    Argument,
    /// The raw body of the call.
    Raw,
    /// Something of the app: state, kept state, app handle, window handle.
    App,
}

/// Keeps the function and puts a hidden function beside it that makes the command's record.
pub fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !attribute.is_empty() {
        return Err(Error::new(attribute.span(), "#[command] takes no arguments"));
    }
    let function: ItemFn = syn::parse2(item)?;
    let signature = &function.sig;
    if let Some(parameter) = signature.generics.params.first() {
        return Err(Error::new(
            parameter.span(),
            "a command can not be generic: the page does not say for which types it calls",
        ));
    }
    let name = &signature.ident;
    let record = format_ident!("__staysail_command_{name}");
    let visibility = &function.vis;
    let command_name = name.to_string().trim_start_matches("r#").to_string();
    let doc = doc_of(&function);

    let (mut fetch, mut pass, mut arguments, mut needs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, input) in signature.inputs.iter().enumerate() {
        let FnArg::Typed(parameter) = input else {
            return Err(Error::new(input.span(), "a command is a free function, without self"));
        };
        let Pat::Ident(pattern) = parameter.pat.as_ref() else {
            return Err(Error::new(parameter.pat.span(), "name this parameter: the page passes it by name"));
        };
        let (key, ty) = (pattern.ident.to_string(), &parameter.ty);
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
                arguments
                    .push(quote!((#key, (&&::staysail::__private::Probe::<#ty>::new()).describe(types))));
            }
            Source::Raw => fetch.push(quote!(let #variable: #ty = arguments.raw();)),
            Source::App => {
                fetch.push(quote! {
                    let #variable: #ty = ::staysail::__private::FromCall::from_call(&call)?;
                });
                needs.push(quote!(<#ty as ::staysail::__private::FromCall>::need()));
            }
        }
        pass.push(variable);
    }

    let call = quote!(#name(#(#pass),*));
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
    let output = match &signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    let probe = |ty: TokenStream| quote!((&&::staysail::__private::Probe::<#ty>::new()).describe(types));
    let (result, error) = if is_result(&signature.output) {
        (
            probe(quote!(<#output as ::staysail::__private::ResultParts>::Value)),
            probe(quote!(<#output as ::staysail::__private::ResultParts>::Error)),
        )
    } else {
        (probe(output), quote!(::std::string::String::from("never")))
    };

    Ok(quote! {
        #function

        #[doc(hidden)]
        #[allow(non_snake_case, clippy::let_unit_value, clippy::unit_arg, clippy::needless_borrow)]
        #visibility fn #record() -> ::staysail::__private::Command {
            #[allow(unused_imports)]
            use ::staysail::__private::{
                AnswerBytes as _, AnswerJson as _, FailureDisplay as _, FailureFull as _, FailureJson as _,
                KnownType as _, UnknownType as _,
            };
            ::staysail::__private::Command {
                name: #command_name,
                describe: |types| ::staysail::__private::describe_command(
                    #command_name, #doc, &[#(#arguments),*], #result, #error,
                ),
                needs: || ::std::vec![#(#needs),*],
                prepare: |call| {
                    #[allow(unused_mut, unused_variables)]
                    let mut arguments = ::staysail::__private::Arguments::read(&call)?;
                    #(#fetch)*
                    Ok(#run)
                },
            }
        }
    })
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

fn last_segment(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

fn source_of(ty: &Type) -> Source {
    match last_segment(ty).as_deref() {
        Some("State" | "Kept" | "AppHandle" | "WindowHandle") => Source::App,
        Some("Bytes") => Source::Raw,
        _ => Source::Argument,
    }
}

fn is_result(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, ty) if last_segment(ty).as_deref() == Some("Result"))
}

fn doc_of(function: &ItemFn) -> String {
    let lines =
        function.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
            match &attribute.meta.require_name_value().ok()?.value {
                syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                    Some(text.value().trim().to_string())
                }
                _ => None,
            }
        });
    lines.collect::<Vec<_>>().join("\n")
}
