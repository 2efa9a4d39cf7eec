use std::error::Error;

/// An error and what caused it, in one line for the log.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::with_causes;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_follow_in_one_line() {
        let error = Outer(std::io::Error::other("disk is gone"));
        assert_eq!(with_causes(&error), "cannot open: disk is gone");
        assert_eq!(with_causes(&std::fmt::Error), std::fmt::Error.to_string());
    }
}
