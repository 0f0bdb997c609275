//! `#[data]` and `#[derive(Event)]`.

use crate::{faithful, shape};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Lit, LitStr, Meta, Result, Token,
    Type, parse_quote,
};

/// Adds the derives with the paths an app can reach through `staysail` alone, and to each field what its TypeScript
/// needs to be what serde writes.
pub fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !attribute.is_empty() {
        return Err(Error::new(
            attribute.span(),
            "#[data] takes no arguments here; `#[data(number)]` and `#[data(bigint)]` belong to fields",
        ));
    }
    let mut item: DeriveInput = syn::parse2(item)?;
    harmless_docs(&mut item.attrs);
    faithful::container(&item)?;
    match &mut item.data {
        Data::Struct(data) => fields(&mut data.fields)?,
        Data::Enum(data) => {
            for variant in &mut data.variants {
                harmless_docs(&mut variant.attrs);
                faithful::variant(variant)?;
                fields(&mut variant.fields)?;
            }
        }
        Data::Union(_) => {}
    }
    Ok(quote! {
        #[derive(::staysail::serde::Serialize, ::staysail::serde::Deserialize, ::staysail::ts_rs::TS)]
        #[serde(crate = "::staysail::serde")]
        #[ts(crate = "::staysail::ts_rs")]
        #item
    })
}

fn fields(fields: &mut Fields) -> Result<()> {
    for field in fields {
        harmless_docs(&mut field.attrs);
        let large = large_integer(field)?;
        let serde = faithful::field(field)?;
        if serde.skipped {
            continue;
        }
        if large {
            if is_option(&field.ty) && !serde.has_default {
                field.attrs.push(parse_quote!(#[serde(default)]));
            }
        } else if !serde.described
            && let Some(shape) = shape::of(&field.ty)
        {
            let shape = text_of(&shape);
            field.attrs.push(parse_quote!(#[ts(as = #shape)]));
        }
        if serde.may_be_left_out && !serde.has_default {
            field.attrs.push(parse_quote!(#[ts(optional)]));
        }
    }
    Ok(())
}

/// Turns `#[data(number)]` and `#[data(bigint)]` into what they stand for. Whether there was one.
fn large_integer(field: &mut Field) -> Result<bool> {
    let Some(at) = field.attrs.iter().position(|attribute| {
        attribute.path().segments.last().is_some_and(|segment| segment.ident == "data")
    }) else {
        return Ok(false);
    };
    let attribute = field.attrs.remove(at);
    let choice = match &attribute.meta {
        Meta::List(list) => list.tokens.to_string(),
        _ => String::new(),
    };
    let wrapper = match choice.as_str() {
        "number" => "Number",
        "bigint" => "BigInt",
        _ => {
            return Err(Error::new(
                attribute.span(),
                "a field knows `#[data(number)]` and `#[data(bigint)]`",
            ));
        }
    };
    let ty = text_of(&field.ty);
    let (with, described) = if is_option(&field.ty) {
        let inner =
            ty.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>')).map_or("", |(inner, _)| inner);
        (
            format!("::staysail::__private::{choice}::option"),
            format!("::std::option::Option<::staysail::{wrapper}<{inner}>>"),
        )
    } else {
        (format!("::staysail::__private::{choice}"), format!("::staysail::{wrapper}<{ty}>"))
    };
    field.attrs.push(parse_quote!(#[serde(with = #with)]));
    field.attrs.push(parse_quote!(#[ts(as = #described)]));
    Ok(true)
}

pub(crate) fn is_option(ty: &Type) -> bool {
    crate::command::last_segment(ty).as_deref() == Some("Option")
}

fn text_of(ty: &Type) -> String {
    ty.to_token_stream().to_string()
}

/// A doc comment becomes a comment in TypeScript, which must not end early.
fn harmless_docs(attributes: &mut [Attribute]) {
    for attribute in attributes {
        let Meta::NameValue(doc) = &mut attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &mut doc.value else { continue };
        if doc.path.is_ident("doc") && text.value().contains("*/") {
            *text = LitStr::new(&text.value().replace("*/", "* /"), text.span());
        }
    }
}

/// The parts of each `#[name(…)]` among the attributes; parts that are no attribute syntax are passed over.
pub(crate) fn parts(attributes: &[Attribute], name: &str) -> Vec<Meta> {
    let lists = attributes.iter().filter(|attribute| attribute.path().is_ident(name));
    let parsed = lists.filter_map(|attribute| {
        attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()
    });
    parsed.flatten().collect()
}

/// The event's name is the type's in kebab-case, or that of `#[event(name = "…")]`.
pub fn event(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let mut name = separated(&item.ident.to_string(), '-');
    for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("event")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error("only `name = \"…\"` is known here"));
            }
            name = meta.value()?.parse::<syn::LitStr>()?.value();
            Ok(())
        })?;
    }
    if let Some(parameter) = item.generics.params.first() {
        return Err(Error::new(
            parameter.span(),
            "an event can not be generic: it has one name and one payload",
        ));
    }
    let ident = &item.ident;
    Ok(quote! {
        impl ::staysail::Event for #ident {
            const NAME: &'static str = #name;
        }
    })
}

/// A type's name in lower case, its words apart.
pub(crate) fn separated(name: &str, separator: char) -> String {
    let mut out = String::new();
    for (index, character) in name.chars().enumerate() {
        if character.is_uppercase() && index > 0 {
            out.push(separator);
        }
        out.extend(character.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use quote::quote;

    #[test]
    fn event_names_are_the_type_names_in_kebab_case() {
        assert_eq!(super::separated("NoteSaved", '-'), "note-saved");
        assert_eq!(super::separated("Tick", '-'), "tick");
    }

    fn expanded(item: proc_macro2::TokenStream) -> String {
        super::expand(quote!(), item).unwrap().to_string()
    }

    #[test]
    fn a_choice_for_a_large_integer_becomes_serde_and_type_alike() {
        let text = expanded(quote!(
            struct Note {
                #[data(bigint)]
                id: u64,
                #[data(number)]
                size: Option<usize>,
            }
        ));
        for part in [
            "with = \"::staysail::__private::bigint\"",
            "as = \"::staysail::BigInt<u64>\"",
            "with = \"::staysail::__private::number::option\"",
            "serde (default)",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let other = super::expand(
            quote!(),
            quote!(
                struct Note {
                    #[data(text)]
                    id: u64,
                }
            ),
        );
        assert!(other.unwrap_err().to_string().contains("#[data(bigint)]"));
    }

    #[test]
    fn a_doc_comment_can_not_end_the_comment_it_becomes() {
        let text = expanded(quote!(
            /// Ends */ early.
            struct Note {
                /// This */ too.
                id: u32,
            }
        ));
        assert!(!text.contains("*/"), "{text}");
    }
}
