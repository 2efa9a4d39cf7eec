use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// When a key takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Read once, at start.
    Boot,
    /// A registry document may change it at any time.
    Live,
    /// Read once, at start, and never shown.
    Secret,
}

/// One setting, as its struct declares it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in files and documents; upper case in the environment.
    pub name: &'static str,
    /// When it takes effect.
    pub mode: Mode,
    /// Its documentation, a line each.
    pub doc: &'static [&'static str],
}

/// Why a value was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The section has no such key.
    #[error("unknown key")]
    Unknown,
    /// The value has the wrong type or form.
    #[error("{0}")]
    Value(String),
}

/// A group of settings that can be read from any source; made by [`settings!`](crate::settings!).
pub trait Section: Clone + Default + Send + Sync + 'static {
    /// Every key, in the order of declaration.
    const KEYS: &'static [Key];

    /// Puts one key.
    ///
    /// # Errors
    /// The key is unknown or the value does not fit its type; the section is then unchanged.
    fn set(&mut self, key: &str, value: Value) -> Result<(), KeyError>;

    /// One key's value; secrets are masked. Null for an unknown key.
    fn get(&self, key: &str) -> Value;

    /// What types alone cannot say about the values together.
    ///
    /// # Errors
    /// A sentence for the person who set them.
    fn validate(&self) -> Result<(), String>;
}

/// Reads a field from a JSON value; strings from the environment may also hold JSON.
#[doc(hidden)]
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, KeyError> {
    let parsed = match &value {
        Value::String(text) => serde_json::from_str::<Value>(text).ok(),
        _ => None,
    };
    match (serde_json::from_value(value), parsed) {
        (Ok(field), _) => Ok(field),
        (Err(_), Some(json)) => {
            serde_json::from_value(json).map_err(|error| KeyError::Value(error.to_string()))
        }
        (Err(error), None) => Err(KeyError::Value(error.to_string())),
    }
}

/// A value that is never printed, logged or serialised.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True if nothing was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn mask(&self) -> &'static str {
        if self.0.is_empty() { "" } else { "********" }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mask())
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.mask())
    }
}

/// Declares a settings struct whose doc comments are its documentation.
///
/// ```
/// app::settings! {
///     /// What the example can be told.
///     pub struct Settings {
///         /// Where the rows are.
///         boot store_url: String = "sqlite:example.db".into(),
///         /// Longest page, in items.
///         live page_limit: u32 = 50,
///     }
/// }
/// assert_eq!(Settings::default().page_limit, 50);
/// ```
///
/// `struct Settings validated by check { … }` names a `fn(&Settings) -> Result<(), String>` for
/// what types alone cannot say.
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $about:literal])*
        $vis:vis struct $name:ident $(validated by $check:path)? {
            $( $(#[doc = $doc:literal])* $mode:ident $key:ident : $ty:ty = $default:expr ),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $( $(#[doc = $doc])* pub $key: $ty, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )* }
            }
        }

        impl $crate::settings::Section for $name {
            const KEYS: &'static [$crate::settings::Key] = &[
                $( $crate::settings::Key {
                    name: stringify!($key),
                    mode: $crate::settings!(@mode $mode),
                    doc: &[$($doc),*],
                }, )*
            ];

            fn set(
                &mut self,
                key: &str,
                value: $crate::serde_json::Value,
            ) -> Result<(), $crate::settings::KeyError> {
                match key {
                    $( stringify!($key) => {
                        self.$key = $crate::settings::__read(value)?;
                        Ok(())
                    } )*
                    _ => {
                        let _ = value;
                        Err($crate::settings::KeyError::Unknown)
                    }
                }
            }

            fn get(&self, key: &str) -> $crate::serde_json::Value {
                match key {
                    $( stringify!($key) => $crate::serde_json::to_value(&self.$key).unwrap_or_default(), )*
                    _ => $crate::serde_json::Value::Null,
                }
            }

            fn validate(&self) -> Result<(), String> {
                $( $check(self)?; )?
                Ok(())
            }
        }
    };
    (@mode boot) => { $crate::settings::Mode::Boot };
    (@mode live) => { $crate::settings::Mode::Live };
    (@mode secret) => { $crate::settings::Mode::Secret };
}
