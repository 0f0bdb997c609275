//! Serde attributes that would make the JSON another one than the TypeScript type says. They are refused where no
//! `#[ts(type = "…")]` or `#[ts(as = "…")]` says what the page really gets.

use crate::data::{is_option, parts};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, Meta, Result, Variant};

/// What serde does with a field, as far as its TypeScript depends on it.
pub struct FieldFacts {
    /// It never travels.
    pub skipped: bool,
    /// `#[ts(…)]` says what it is.
    pub described: bool,
    /// It has a value when it is missing.
    pub has_default: bool,
    /// It is not always written.
    pub may_be_left_out: bool,
}

/// Checks the attributes of a struct or an enum.
pub fn container(item: &DeriveInput) -> Result<()> {
    let described = is_described(&item.attrs);
    let named = matches!(&item.data, Data::Struct(data) if matches!(data.fields, Fields::Named(_)));
    for part in parts(&item.attrs, "serde") {
        one_name(&part)?;
        let name = name_of(&part);
        let changes = matches!(name.as_str(), "from" | "try_from" | "into" | "remote")
            || (name == "transparent" && named)
            || matches!(name.as_str(), "variant_identifier" | "field_identifier");
        if changes && !described {
            return Err(refused(&part, &name));
        }
    }
    Ok(())
}

/// Checks the attributes of a variant.
pub fn variant(variant: &Variant) -> Result<()> {
    checked(&variant.attrs)
}

/// Checks the attributes of a field, and says what follows from them.
pub fn field(field: &Field) -> Result<FieldFacts> {
    checked(&field.attrs)?;
    let serde = parts(&field.attrs, "serde");
    let find = |name: &str| serde.iter().find(|part| part.path().is_ident(name));
    let left_out = find("skip_serializing_if").or(find("skip_serializing"));
    let optional = parts(&field.attrs, "ts").iter().any(|part| part.path().is_ident("optional"));
    let facts = FieldFacts {
        skipped: find("skip").is_some(),
        described: is_described(&field.attrs),
        has_default: find("default").is_some(),
        may_be_left_out: left_out.is_some() && !optional,
    };
    if let Some(part) = left_out
        && !facts.has_default
        && !is_option(&field.ty)
    {
        return Err(Error::new(
            part.span(),
            "a field that is not always written needs `#[serde(default)]`, so that the page knows it may be missing \
             and Rust can read what it wrote",
        ));
    }
    Ok(facts)
}

fn checked(attributes: &[syn::Attribute]) -> Result<()> {
    let described = is_described(attributes);
    for part in parts(attributes, "serde") {
        one_name(&part)?;
        let name = name_of(&part);
        if matches!(name.as_str(), "with" | "serialize_with" | "deserialize_with") && !described {
            return Err(refused(&part, &name));
        }
    }
    Ok(())
}

fn is_described(attributes: &[syn::Attribute]) -> bool {
    // `type` is a keyword, so this list is no ordinary attribute syntax.
    attributes.iter().filter(|attribute| attribute.path().is_ident("ts")).any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        list.tokens.clone().into_iter().any(|token| matches!(token.to_string().as_str(), "as" | "type"))
    })
}

fn one_name(part: &Meta) -> Result<()> {
    match part {
        Meta::List(list) if list.path.is_ident("rename") || list.path.is_ident("rename_all") => {
            Err(Error::new(
                list.span(),
                "one name for both directions: the page has one type for what it sends and what it gets",
            ))
        }
        _ => Ok(()),
    }
}

fn name_of(part: &Meta) -> String {
    part.path().get_ident().map(ToString::to_string).unwrap_or_default()
}

fn refused(part: &Meta, name: &str) -> Error {
    Error::new(
        part.span(),
        format!(
            "`{name}` changes what the page gets; say what that is with `#[ts(type = \"…\")]` (TypeScript) or \
             `#[ts(as = \"…\")]` (a Rust type that looks the same)"
        ),
    )
}

#[cfg(test)]
mod tests {
    use crate::data::expand;
    use proc_macro2::TokenStream;
    use quote::quote;

    fn refusal(item: TokenStream) -> String {
        expand(quote!(), item).expect_err("refused").to_string()
    }

    #[test]
    fn what_changes_the_json_is_refused_until_the_type_is_said() {
        for (item, word) in [
            (
                quote!(
                    struct A {
                        #[serde(serialize_with = "f")]
                        a: u32,
                    }
                ),
                "serialize_with",
            ),
            (
                quote!(
                    struct A {
                        #[serde(with = "f")]
                        a: u32,
                    }
                ),
                "with",
            ),
            (
                quote!(
                    #[serde(into = "String", try_from = "String")]
                    struct A {
                        a: u32,
                    }
                ),
                "into",
            ),
            (
                quote!(
                    #[serde(transparent)]
                    struct A {
                        a: u32,
                    }
                ),
                "transparent",
            ),
            (
                quote!(
                    enum A {
                        #[serde(with = "f")]
                        B(u32),
                    }
                ),
                "with",
            ),
            (
                quote!(
                    struct A {
                        #[serde(rename(serialize = "x"))]
                        a: u32,
                    }
                ),
                "one name",
            ),
            (
                quote!(
                    #[serde(rename_all(serialize = "camelCase"))]
                    struct A {
                        a: u32,
                    }
                ),
                "one name",
            ),
            (
                quote!(
                    struct A {
                        #[serde(skip_serializing_if = "Vec::is_empty")]
                        a: Vec<u32>,
                    }
                ),
                "default",
            ),
        ] {
            let message = refusal(item);
            assert!(message.contains(word), "{word}: {message}");
        }
        for item in [
            quote!(
                struct A {
                    #[serde(serialize_with = "f")]
                    #[ts(type = "string")]
                    a: u32,
                }
            ),
            quote!(
                #[serde(into = "String", try_from = "String")]
                #[ts(as = "String")]
                struct A {
                    a: u32,
                }
            ),
            quote!(
                #[serde(transparent)]
                struct A(u32);
            ),
            quote!(
                struct A {
                    #[serde(skip_serializing_if = "Vec::is_empty", default)]
                    a: Vec<u32>,
                }
            ),
        ] {
            expand(quote!(), item).unwrap();
        }
    }

    #[test]
    fn an_option_that_is_left_out_when_it_is_none_is_an_optional_field() {
        let item = quote!(
            struct A {
                #[serde(skip_serializing_if = "Option::is_none")]
                a: Option<u32>,
            }
        );
        assert!(expand(quote!(), item).unwrap().to_string().contains("ts (optional)"));
    }
}
