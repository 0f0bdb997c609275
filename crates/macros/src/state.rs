//! `#[derive(State)]`.

use crate::data::separated;
use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, ExprPath, LitInt, LitStr, Result};

/// The state's name is the type's in kebab-case, or that of `#[state(name = "…")]`; `version` and `from_version` are for a type
/// that is no longer what it was.
pub fn expand(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    if let Some(parameter) = item.generics.params.first() {
        return Err(Error::new(
            parameter.span(),
            "kept state can not be generic: it has one name and one type",
        ));
    }
    let mut name = separated(&item.ident.to_string(), '-');
    let (mut version, mut from_version): (Option<LitInt>, Option<ExprPath>) = (None, None);
    for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("state")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                name = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("version") {
                version = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("from_version") {
                from_version = Some(meta.value()?.parse()?);
            } else {
                return Err(meta.error(
                    "only `name = \"…\"`, `version = 2` and `from_version = function` are known here",
                ));
            }
            Ok(())
        })?;
    }
    if let (Some(function), None) = (&from_version, &version) {
        return Err(Error::new(
            function.span(),
            "`from_version` is asked for a value of another version: say with `version = 2` which this is",
        ));
    }
    let ident = &item.ident;
    let version = version.map(|version| quote!(const VERSION: u32 = #version;));
    let from_version = from_version.map(|function| {
        quote! {
            const FROM_VERSION: ::std::option::Option<::staysail::FromVersion<Self>> =
                ::std::option::Option::Some(#function);
        }
    });
    Ok(quote! {
        impl ::staysail::KeptState for #ident {
            const NAME: &'static str = #name;
            #version
            #from_version
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(item: TokenStream) -> String {
        expand(item).unwrap_err().to_string()
    }

    #[test]
    fn the_name_is_the_types_or_the_one_that_is_given() {
        let text = expand(quote!(
            struct OpenNote;
        ))
        .unwrap()
        .to_string();
        assert!(text.contains("\"open-note\"") && !text.contains("VERSION"), "{text}");
        let text = expand(quote!(
            #[state(name = "note", version = 3)]
            struct OpenNote;
        ))
        .unwrap()
        .to_string();
        assert!(text.contains("\"note\"") && text.contains("VERSION : u32 = 3"), "{text}");
    }

    #[test]
    fn what_says_nothing_is_refused_with_what_can_be_said() {
        assert!(
            refused(quote!(
                #[state(nam = "x")]
                struct Note;
            ))
            .contains("from_version")
        );
        assert!(
            refused(quote!(
                #[state(from_version = older)]
                struct Note;
            ))
            .contains("version = 2")
        );
        assert!(
            refused(quote!(
                struct Note<T>(T);
            ))
            .contains("generic")
        );
    }
}
