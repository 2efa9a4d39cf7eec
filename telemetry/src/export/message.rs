//! Fields of a protobuf message by their number. What cannot be read is not there.

use crate::wire::{Fields, Wire};

/// The values of a field, wherever they stand in the message, up to what cannot be read.
pub(super) fn values(message: &[u8], number: u64) -> impl Iterator<Item = Wire<'_>> {
    Fields::of(message)
        .map_while(Result::ok)
        .filter(move |(field, _)| *field == number)
        .map(|(_, value)| value)
}

/// The last number of this field; 0 if there is none, as in proto3.
pub(super) fn number(message: &[u8], field: u64) -> u64 {
    let numbers = values(message, field).filter_map(|value| value.varint().ok());
    numbers.last().unwrap_or(0)
}

/// The last bytes, text or message of this field.
pub(super) fn bytes(message: &[u8], field: u64) -> Option<&[u8]> {
    all_bytes(message, field).last()
}

/// Every value of a repeated field of bytes, text or messages.
pub(super) fn all_bytes(message: &[u8], field: u64) -> impl Iterator<Item = &[u8]> {
    values(message, field).filter_map(|value| value.bytes().ok())
}
