//! `#[data]` and `#[derive(Event)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, Result};

/// Adds the derives with the paths an app can reach through `staysail` alone.
pub fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !attribute.is_empty() {
        return Err(Error::new(attribute.span(), "#[data] takes no arguments"));
    }
    let item: DeriveInput = syn::parse2(item)?;
    Ok(quote! {
        #[derive(::staysail::serde::Serialize, ::staysail::serde::Deserialize, ::staysail::ts_rs::TS)]
        #[serde(crate = "::staysail::serde")]
        #[ts(crate = "::staysail::ts_rs")]
        #item
    })
}

/// The event's name is the type's in kebab-case, or that of `#[event(name = "…")]`.
pub fn event(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let mut name = kebab(&item.ident.to_string());
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

fn kebab(name: &str) -> String {
    let mut out = String::new();
    for (index, character) in name.chars().enumerate() {
        if character.is_uppercase() && index > 0 {
            out.push('-');
        }
        out.extend(character.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn event_names_are_the_type_names_in_kebab_case() {
        assert_eq!(super::kebab("NoteSaved"), "note-saved");
        assert_eq!(super::kebab("Tick"), "tick");
    }
}
