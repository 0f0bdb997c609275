//! Types of the standard library that have no TypeScript of their own, and what is described in their place.

use syn::{GenericArgument, PathArguments, Type, parse_quote};

/// The type with each `Duration` and `SystemTime` of `std::time` exchanged for what describes it; `None` when there is
/// none. A path that leads elsewhere (`chrono::Duration`, `self::Duration`) is left alone, and a bare name that turns
/// out to be another type is a compile error, see `staysail::__private::StandardTime`.
pub fn of(ty: &Type) -> Option<Type> {
    let mut shape = ty.clone();
    exchange(&mut shape).then_some(shape)
}

fn exchange(ty: &mut Type) -> bool {
    match ty {
        Type::Path(path) if is_standard_time(&path.path) => {
            let time = ty.clone();
            *ty = parse_quote!(::staysail::__private::StandardTime<#time>);
            true
        }
        Type::Path(path) => {
            let mut changed = false;
            for segment in &mut path.path.segments {
                let PathArguments::AngleBracketed(arguments) = &mut segment.arguments else { continue };
                for argument in &mut arguments.args {
                    if let GenericArgument::Type(ty) = argument {
                        changed |= exchange(ty);
                    }
                }
            }
            changed
        }
        Type::Tuple(tuple) => tuple.elems.iter_mut().fold(false, |changed, ty| exchange(ty) | changed),
        Type::Array(array) => exchange(&mut array.elem),
        Type::Slice(slice) => exchange(&mut slice.elem),
        Type::Reference(reference) => exchange(&mut reference.elem),
        Type::Paren(paren) => exchange(&mut paren.elem),
        Type::Group(group) => exchange(&mut group.elem),
        _ => false,
    }
}

fn is_standard_time(path: &syn::Path) -> bool {
    let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    matches!(
        names.as_slice(),
        ["Duration" | "SystemTime"]
            | ["std" | "core", "time", "Duration" | "SystemTime"]
            | ["time", "SystemTime"]
    )
}

#[cfg(test)]
mod tests {
    use super::of;
    use quote::ToTokens;
    use syn::parse_quote;

    #[test]
    fn standard_times_are_exchanged_wherever_they_stand_and_others_left_alone() {
        let shape =
            of(&parse_quote!(HashMap<String, Vec<(Option<Duration>, std::time::SystemTime)>>)).unwrap();
        let text = shape.to_token_stream().to_string().replace(' ', "");
        let [duration, time] = ["Duration", "std::time::SystemTime"]
            .map(|name| format!("::staysail::__private::StandardTime<{name}>"));
        assert_eq!(text, format!("HashMap<String,Vec<(Option<{duration}>,{time})>>"));
        assert!(of(&parse_quote!(Vec<chrono::Duration>)).is_none());
        assert!(of(&parse_quote!(self::Duration)).is_none());
    }
}
