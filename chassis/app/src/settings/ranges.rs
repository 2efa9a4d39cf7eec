/// Holds numbers to their ranges: each with its key, its value, the least and the most that it may
/// be.
///
/// # Errors
/// A sentence about the first that is outside of its range.
pub fn in_ranges<'a>(
    ranges: impl IntoIterator<Item = (&'a str, u64, u64, u64)>,
) -> Result<(), String> {
    for (key, value, least, most) in ranges {
        if !(least..=most).contains(&value) {
            return Err(format!("`{key}` is {value}; it must be {least} to {most}"));
        }
    }
    Ok(())
}
