use std::fmt;

use zeroize::Zeroizing;

use super::Email;
use crate::error::Error;

const MIN_CHARS: usize = 10;
const MAX_CHARS: usize = 128;

/// A password: never shown, overwritten when dropped.
pub(crate) struct Password(Zeroizing<String>);

impl Password {
    /// A password that is being chosen: 10 to 128 characters, not the address, not one character
    /// over and over. Length is what counts (NIST SP 800-63B section 5.1.1.2); which kinds of
    /// characters it mixes is the member's affair.
    pub(crate) fn choose(given: String, email: &Email) -> Result<Self, Error> {
        let password = Self(Zeroizing::new(given));
        let length = password.0.chars().count();
        if length < MIN_CHARS {
            return Err(Error::InvalidPassword("is shorter than 10 characters"));
        }
        if length > MAX_CHARS {
            return Err(Error::InvalidPassword("is longer than 128 characters"));
        }
        if password.0.eq_ignore_ascii_case(email.as_str()) {
            return Err(Error::InvalidPassword("is the e-mail address"));
        }
        let mut chars = password.0.chars();
        let first = chars.next();
        if chars.all(|c| Some(c) == first) {
            return Err(Error::InvalidPassword("is one character over and over"));
        }
        Ok(password)
    }

    /// A password that is being tried. One that nobody can have is `None`: it is not worth the
    /// hashing.
    pub(crate) fn try_out(given: String) -> Option<Self> {
        let password = Self(Zeroizing::new(given));
        let possible = (MIN_CHARS..=MAX_CHARS).contains(&password.0.chars().count());
        possible.then_some(password)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_length_and_little_else() {
        let email = Email::parse("mina.kim@example.com").unwrap();
        let long = "가나".repeat(64);
        for good in [
            "correct horse",
            "0123456789",
            "비밀번호는길어야좋다!",
            long.as_str(),
        ] {
            assert!(Password::choose(good.to_owned(), &email).is_ok(), "{good}");
        }
        let too_long = "ab".repeat(65);
        for bad in [
            "",
            "ninechars",
            "Mina.Kim@example.com",
            "aaaaaaaaaaaa",
            too_long.as_str(),
        ] {
            assert!(Password::choose(bad.to_owned(), &email).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_is_never_shown() {
        let password = Password::try_out("correct horse".to_owned()).unwrap();
        assert_eq!(format!("{password:?}"), "Password");
    }
}
