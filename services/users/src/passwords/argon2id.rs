//! One hash: argon2id with OWASP's first choice of parameters, and its memory given back at once.

use argon2::password_hash::Error;
use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, PasswordHash, Version};

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// Blocks of 1 KiB to ask for; what is not touched costs nothing. glibc keeps what is freed below
/// 32 MiB (`DEFAULT_MMAP_THRESHOLD_MAX`) for the thread that freed it, some 20 MiB a thread of the
/// pool for ever; above, it goes back to the system at once.
const RESERVED_BLOCKS: usize = 33 * 1024;

/// Hashes a password with a salt of its own; gives a PHC string.
pub(super) fn hash(password: &[u8]) -> Result<String, Error> {
    let mut salt = [0; SALT_BYTES];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| Error::Crypto)?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_BYTES))?;
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(output(
            password,
            &salt,
            OUTPUT_BYTES,
            Version::V0x13,
            params,
        )?),
    };
    Ok(hash.to_string())
}

/// Whether a PHC string is that of the password.
pub(super) fn verify(password: &[u8], phc: &str) -> Result<bool, Error> {
    let expected = PasswordHash::new(phc)?;
    let (Some(salt), Some(hash)) = (&expected.salt, &expected.hash) else {
        return Err(Error::EncodingInvalid);
    };
    if expected.algorithm != ARGON2ID_IDENT {
        return Err(Error::Algorithm);
    }
    let version = expected
        .version
        .unwrap_or(Version::V0x13.into())
        .try_into()?;
    let params = Params::try_from(&expected)?;
    // `Output` is compared in constant time.
    Ok(output(password, salt, hash.len(), version, params)? == *hash)
}

fn output(
    password: &[u8],
    salt: &[u8],
    length: usize,
    version: Version,
    params: Params,
) -> Result<Output, Error> {
    let mut memory: Vec<Block> = Vec::new();
    let wanted = params.block_count();
    memory
        .try_reserve_exact(wanted.max(RESERVED_BLOCKS))
        .map_err(|_| Error::OutOfMemory)?;
    memory.resize(wanted, Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, version, params);
    let mut out = vec![0; length];
    argon2.hash_password_into_with_memory(password, salt, &mut out, &mut memory)?;
    Ok(Output::new(&out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_librarys_argon2id() {
        use argon2::{PasswordHasher as _, PasswordVerifier as _};
        let ours = hash(b"correct horse").unwrap();
        assert!(
            ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{ours}"
        );
        let library = Argon2::default();
        library
            .verify_password(b"correct horse", ours.as_str())
            .unwrap();
        let theirs = library.hash_password_with_salt(b"correct horse", b"0123456789abcdef");
        let theirs = theirs.unwrap().to_string();
        assert!(verify(b"correct horse", &theirs).unwrap());
        assert!(!verify(b"correct house", &theirs).unwrap());
    }

    #[test]
    fn what_is_no_argon2id_hash_is_an_error() {
        for phc in [
            "",
            "plain text",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2i$v=19$m=16,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(verify(b"correct horse", phc).is_err(), "{phc}");
        }
    }

    /// Each thread that hashed would otherwise keep its 19 MiB.
    #[cfg(target_os = "linux")]
    #[test]
    fn memory_goes_back_to_the_system() {
        let resident_mib = || {
            let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
            let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
            pages * 4096 / (1024 * 1024)
        };
        let before = resident_mib();
        let barrier = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    hash(b"correct horse").unwrap();
                    hash(b"correct horse").unwrap();
                    // All are alive at once, as those of a pool are: none inherits another's.
                    barrier.wait();
                });
            }
        });
        let after = resident_mib();
        assert!(
            after < before + 120,
            "{before} MiB before, {after} MiB after"
        );
    }
}
