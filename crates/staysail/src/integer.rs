//! Integers of 64 and more bits on their way to a page, whose numbers are exact only up to 2^53 − 1.
//!
//! In JSON a [`Number`] is a number and a [`BigInt`] its decimal digits as text. In formats that people do not read
//! (declared state travels as MessagePack) both are the plain integer, so putting one around a field changes no
//! stored state.

use serde::de::{Error as _, Unexpected, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::num::{NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU64, NonZeroU128, NonZeroUsize};
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use ts_rs::{Config, TS};

/// The largest integer that a page's numbers hold exactly along with all smaller ones: `Number.MAX_SAFE_INTEGER`.
const SAFE_MAX: u128 = (1 << 53) - 1;

/// An integer with a `u64`, `i64` or a wider one inside, as a page's `number`.
///
/// A value beyond ±(2^53 − 1) is an error on its way to the page and back, never another number. On a field,
/// `#[data(number)]` does the same without changing the field's Rust type.
///
/// ```
/// use staysail::Number;
/// assert_eq!(serde_json::to_string(&Number(42_u64)).unwrap(), "42");
/// assert!(serde_json::to_string(&Number(u64::MAX)).is_err());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number<T>(pub T);

/// An integer with all its digits: text in JSON, `` `${bigint}` `` in TypeScript.
///
/// The page reads it with `BigInt(value)` and writes it as `` `${value}` ``. On a field, `#[data(bigint)]` does the
/// same without changing the field's Rust type.
///
/// ```
/// use staysail::BigInt;
/// let text = serde_json::to_string(&BigInt(u64::MAX)).unwrap();
/// assert_eq!(text, r#""18446744073709551615""#);
/// assert_eq!(serde_json::from_str::<BigInt<u64>>(&text).unwrap().0, u64::MAX);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BigInt<T>(pub T);

/// The integers that may go into a [`Number`] or a [`BigInt`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no integer that `number` and `bigint` know",
    note = "inside another type write `staysail::Number<u64>` or `staysail::BigInt<u64>`, e.g. `Vec<BigInt<u64>>`"
)]
pub trait Integer: Copy + Display + FromStr + Serialize + for<'de> Deserialize<'de> + 'static {
    #[doc(hidden)]
    fn from_signed(value: i128) -> Option<Self>;
    #[doc(hidden)]
    fn from_unsigned(value: u128) -> Option<Self>;
    #[doc(hidden)]
    fn is_safe(self) -> bool;
}

macro_rules! integers {
    ($($plain:ty, $non_zero:ty;)*) => {$(
        impl Integer for $plain {
            fn from_signed(value: i128) -> Option<Self> {
                value.try_into().ok()
            }
            fn from_unsigned(value: u128) -> Option<Self> {
                value.try_into().ok()
            }
            #[allow(unused_comparisons)]
            fn is_safe(self) -> bool {
                let size = if self < 0 { (self as i128).unsigned_abs() } else { self as u128 };
                size <= SAFE_MAX
            }
        }
        impl Integer for $non_zero {
            fn from_signed(value: i128) -> Option<Self> {
                <$plain>::from_signed(value).and_then(Self::new)
            }
            fn from_unsigned(value: u128) -> Option<Self> {
                <$plain>::from_unsigned(value).and_then(Self::new)
            }
            fn is_safe(self) -> bool {
                self.get().is_safe()
            }
        }
    )*};
}

integers! {
    u64, NonZeroU64;
    i64, NonZeroI64;
    u128, NonZeroU128;
    i128, NonZeroI128;
    usize, NonZeroUsize;
    isize, NonZeroIsize;
}

macro_rules! wrappers {
    ($($wrapper:ident, $shown:literal;)*) => {$(
        impl<T> From<T> for $wrapper<T> {
            fn from(value: T) -> Self {
                Self(value)
            }
        }
        impl<T> Deref for $wrapper<T> {
            type Target = T;
            fn deref(&self) -> &T {
                &self.0
            }
        }
        impl<T> DerefMut for $wrapper<T> {
            fn deref_mut(&mut self) -> &mut T {
                &mut self.0
            }
        }
        impl<T: Display> Display for $wrapper<T> {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
        impl<T: Integer> TS for $wrapper<T> {
            type WithoutGenerics = Self;
            type OptionInnerType = Self;
            fn name(_: &Config) -> String {
                $shown.into()
            }
            fn inline(_: &Config) -> String {
                $shown.into()
            }
        }
    )*};
}

wrappers! {
    Number, "number";
    BigInt, "`${bigint}`";
}

fn beyond(value: impl Display) -> String {
    format!(
        "{value} is beyond what a page's number holds exactly, ±(2^53 − 1); declare it as a bigint (`#[data(bigint)]` \
         or `staysail::BigInt`) to let all its digits through"
    )
}

impl<T: Integer> Serialize for Number<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() && !self.0.is_safe() {
            return Err(S::Error::custom(beyond(self.0)));
        }
        self.0.serialize(serializer)
    }
}

impl<'de, T: Integer> Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let checked = deserializer.is_human_readable();
        let value = T::deserialize(deserializer)?;
        if checked && !value.is_safe() { Err(D::Error::custom(beyond(value))) } else { Ok(Self(value)) }
    }
}

impl<T: Integer> Serialize for BigInt<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&self.0)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de, T: Integer> Deserialize<'de> for BigInt<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Digits(PhantomData)).map(Self)
        } else {
            T::deserialize(deserializer).map(Self)
        }
    }
}

/// Reads decimal digits as text, and plain integers: state of before, handed to a migration, holds these.
struct Digits<T>(PhantomData<T>);

impl<T: Integer> Visitor<'_> for Digits<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the decimal digits of a {} as text", std::any::type_name::<T>())
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<T, E> {
        T::from_unsigned(value.into()).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(value), &self))
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<T, E> {
        T::from_signed(value.into()).ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
    }
    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<T, E> {
        T::from_unsigned(value).ok_or_else(|| E::invalid_value(Unexpected::Other("a large integer"), &self))
    }
    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<T, E> {
        T::from_signed(value).ok_or_else(|| E::invalid_value(Unexpected::Other("a large integer"), &self))
    }
}

macro_rules! field_modules {
    ($($module:ident, $wrapper:ident, $what:literal;)*) => {$(
        #[doc = $what]
        pub mod $module {
            use super::{$wrapper, Integer};
            use serde::{Deserialize, Deserializer, Serialize, Serializer};

            /// Writes the field.
            pub fn serialize<T: Integer, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
                $wrapper(*value).serialize(serializer)
            }

            /// Reads the field.
            pub fn deserialize<'de, T: Integer, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
                $wrapper::deserialize(deserializer).map(|wrapper| wrapper.0)
            }

            /// The same for a field that may be absent.
            pub mod option {
                use super::*;

                /// Writes the field.
                pub fn serialize<T: Integer, S: Serializer>(
                    value: &Option<T>,
                    serializer: S,
                ) -> Result<S::Ok, S::Error> {
                    value.map($wrapper).serialize(serializer)
                }

                /// Reads the field.
                pub fn deserialize<'de, T: Integer, D: Deserializer<'de>>(
                    deserializer: D,
                ) -> Result<Option<T>, D::Error> {
                    Ok(Option::<$wrapper<T>>::deserialize(deserializer)?.map(|wrapper| wrapper.0))
                }
            }
        }
    )*};
}

field_modules! {
    number, Number, "What `#[data(number)]` stands for.";
    bigint, BigInt, "What `#[data(bigint)]` stands for.";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<T: Serialize + for<'de> Deserialize<'de> + PartialEq + fmt::Debug>(
        value: T,
        json: &str,
    ) {
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        assert_eq!(serde_json::from_str::<T>(json).unwrap(), value);
        let packed = rmp_serde::to_vec_named(&value).unwrap();
        assert_eq!(rmp_serde::from_slice::<T>(&packed).unwrap(), value);
    }

    #[test]
    fn a_bigint_keeps_every_digit_at_both_ends_of_its_range() {
        there_and_back(BigInt(u64::MAX), r#""18446744073709551615""#);
        there_and_back(BigInt(i64::MIN), r#""-9223372036854775808""#);
        there_and_back(BigInt(u128::MAX), r#""340282366920938463463374607431768211455""#);
        there_and_back(BigInt(i128::MIN), r#""-170141183460469231731687303715884105728""#);
        there_and_back(BigInt(NonZeroU64::MAX), r#""18446744073709551615""#);
    }

    #[test]
    fn a_number_is_exact_up_to_the_safe_integers_and_an_error_beyond_them() {
        let most = (1_i64 << 53) - 1;
        there_and_back(Number(most), "9007199254740991");
        there_and_back(Number(-most), "-9007199254740991");
        for beyond in [most + 1, -most - 1, i64::MIN, i64::MAX] {
            let error = serde_json::to_string(&Number(beyond)).unwrap_err().to_string();
            assert!(error.contains("bigint"), "{error}");
            assert!(serde_json::from_str::<Number<i64>>(&beyond.to_string()).is_err());
        }
        assert!(serde_json::to_string(&Number(u128::MAX)).is_err());
    }

    #[test]
    fn declared_state_holds_plain_integers_whatever_is_put_around_them() {
        let plain = rmp_serde::to_vec_named(&u64::MAX).unwrap();
        assert_eq!(rmp_serde::to_vec_named(&BigInt(u64::MAX)).unwrap(), plain);
        assert_eq!(rmp_serde::from_slice::<Number<u64>>(&plain).unwrap(), Number(u64::MAX));
    }

    #[test]
    fn what_is_no_integer_of_the_type_is_refused() {
        for text in [r#""""#, r#""1.5""#, r#""-1""#, r#""18446744073709551616""#, "-1", "1.5", "null"] {
            assert!(serde_json::from_str::<BigInt<u64>>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<BigInt<u64>>("7").unwrap(), BigInt(7), "a migration holds numbers");
    }
}
