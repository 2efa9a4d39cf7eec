//! What an attribute may be.

use super::limits::Limits;
use super::proto::Attribute;
use opentelemetry::Value;
use std::borrow::Cow;

/// The value of an attribute: made of text, numbers, truth values, and what the OpenTelemetry API
/// has for lists.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeValue<'a>(Inner<'a>);

#[derive(Debug, Clone, PartialEq)]
enum Inner<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Api(Cow<'a, Value>),
}

impl<'a> From<&'a str> for AttributeValue<'a> {
    fn from(text: &'a str) -> Self {
        AttributeValue(Inner::Text(Cow::Borrowed(text)))
    }
}

impl<'a> From<&'a String> for AttributeValue<'a> {
    fn from(text: &'a String) -> Self {
        AttributeValue(Inner::Text(Cow::Borrowed(text)))
    }
}

impl From<String> for AttributeValue<'_> {
    fn from(text: String) -> Self {
        AttributeValue(Inner::Text(Cow::Owned(text)))
    }
}

impl From<bool> for AttributeValue<'_> {
    fn from(value: bool) -> Self {
        AttributeValue(Inner::Bool(value))
    }
}

impl From<f64> for AttributeValue<'_> {
    fn from(value: f64) -> Self {
        AttributeValue(Inner::Double(value))
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for AttributeValue<'_> {
            fn from(value: $number) -> Self {
                AttributeValue(Inner::Int(i64::from(value)))
            }
        }
    )*};
}
whole_numbers!(i64, i32, i16, i8, u32, u16, u8);

/// OTLP has signed integers only: what does not fit becomes text.
impl From<u64> for AttributeValue<'_> {
    fn from(value: u64) -> Self {
        match i64::try_from(value) {
            Ok(value) => value.into(),
            Err(_) => value.to_string().into(),
        }
    }
}

/// As [`u64`].
impl From<usize> for AttributeValue<'_> {
    fn from(value: usize) -> Self {
        (value as u64).into()
    }
}

impl From<Value> for AttributeValue<'_> {
    fn from(value: Value) -> Self {
        AttributeValue(Inner::Api(Cow::Owned(value)))
    }
}

impl<'a> From<&'a Value> for AttributeValue<'a> {
    fn from(value: &'a Value) -> Self {
        AttributeValue(Inner::Api(Cow::Borrowed(value)))
    }
}

impl From<&AttributeValue<'_>> for Value {
    fn from(value: &AttributeValue<'_>) -> Value {
        match &value.0 {
            Inner::Text(text) => Value::String(text.to_string().into()),
            Inner::Bool(value) => Value::Bool(*value),
            Inner::Int(value) => Value::I64(*value),
            Inner::Double(value) => Value::F64(*value),
            Inner::Api(value) => value.as_ref().clone(),
        }
    }
}

impl Attribute for &AttributeValue<'_> {
    fn size(&self, limits: &Limits) -> usize {
        match &self.0 {
            Inner::Text(text) => (&**text).size(limits),
            Inner::Bool(value) => value.size(limits),
            Inner::Int(value) => value.size(limits),
            Inner::Double(value) => value.size(limits),
            Inner::Api(value) => value.as_ref().size(limits),
        }
    }

    fn write(&self, out: &mut Vec<u8>, limits: &Limits) {
        match &self.0 {
            Inner::Text(text) => (&**text).write(out, limits),
            Inner::Bool(value) => value.write(out, limits),
            Inner::Int(value) => value.write(out, limits),
            Inner::Double(value) => value.write(out, limits),
            Inner::Api(value) => value.as_ref().write(out, limits),
        }
    }
}
