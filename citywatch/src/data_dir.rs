//! The folder that a city lives in: keys, token, logs, state. Private to its owner.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use identity::SigningKey;
use serde_json::json;

use crate::up::board::name;

/// What is used when neither `--data` nor the setting names a folder.
pub(crate) const DEFAULT: &str = ".citywatch";

/// Names every file of the folder.
#[derive(Clone, Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// Held by the one `up` that runs a city in this folder; the kernel lets go of it at its death.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl DataDir {
    /// `--data`, else `CITYWATCH_CITY__DATA_DIR`, else [`DEFAULT`].
    pub(crate) fn named(path: Option<&Path>) -> Result<Self> {
        let path = path.map_or_else(
            || {
                std::env::var_os(crate::services::variable("city", "data_dir"))
                    .map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from)
            },
            Path::to_owned,
        );
        let path = std::path::absolute(&path)
            .with_context(|| format!("data folder {}", path.display()))?;
        Ok(Self { path })
    }

    /// Makes the folder if it is not there and takes its lock.
    pub(crate) fn prepare(&self) -> Result<Lock> {
        let folders = [self.path.clone(), self.logs(), self.path.join("keys")];
        for folder in folders {
            make_private_dir(&folder)?;
        }
        let path = self.path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => bail!(
                "a city is already up in {}; stop it (Ctrl-C in its terminal), or choose another \
                 folder with --data and other ports (`citywatch settings gateway`)",
                self.path.display()
            ),
            Err(fs::TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("lock {}", path.display()))
            }
        }
    }

    /// Whether an `up` runs here at this moment.
    pub(crate) fn in_use(&self) -> bool {
        let Ok(file) = File::open(self.path.join("lock")) else {
            return false;
        };
        matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("city.json")
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.path.join("control.sock")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The stack's configuration, and what it keeps.
    pub(crate) fn stack(&self) -> PathBuf {
        self.path.join("stack")
    }

    /// What the shoppers of this city were answered.
    pub(crate) fn order_journal(&self) -> PathBuf {
        self.path.join("orders.journal.jsonl")
    }

    pub(crate) fn log(&self, service: &str, replica: u32) -> PathBuf {
        self.logs().join(format!("{}.log", name(service, replica)))
    }

    pub(crate) fn service_key(&self, service: &str) -> PathBuf {
        self.path.join("keys").join(format!("{service}.pem"))
    }

    pub(crate) fn service_keys(&self) -> PathBuf {
        self.path.join("services.jwks.json")
    }

    fn operator_token_file(&self) -> PathBuf {
        self.path.join("operator-token")
    }

    fn acquirer_token_file(&self) -> PathBuf {
        self.path.join("acquirer-token")
    }

    /// The token that sets how the bank behaves, made at its first use.
    pub(crate) fn ensure_acquirer_token(&self) -> Result<String> {
        ensure_secret(&self.acquirer_token_file())
    }

    /// The operator token, made at its first use.
    pub(crate) fn ensure_operator_token(&self) -> Result<String> {
        ensure_secret(&self.operator_token_file())
    }

    pub(crate) fn operator_token(&self) -> Result<String> {
        let path = self.operator_token_file();
        let token = fs::read_to_string(&path).with_context(|| {
            format!(
                "{}: no operator token; has `citywatch up` run here?",
                path.display()
            )
        })?;
        Ok(token.trim().to_owned())
    }

    /// The first admin's password, kept from its making until the users service has taken it.
    pub(crate) fn first_admin_password(&self) -> FirstAdminPassword {
        FirstAdminPassword {
            pending: self.path.join("first-admin-password"),
            made: self.path.join("first-admin-made"),
        }
    }

    /// One Ed25519 key a service, and the public halves in one JWKS.
    pub(crate) fn ensure_service_keys<'a>(
        &self,
        services: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let mut keys = Vec::new();
        for service in services {
            let path = self.service_key(service);
            let key = match fs::read_to_string(&path) {
                Ok(pem) => {
                    SigningKey::from_pem(&pem).with_context(|| format!("key {}", path.display()))?
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let key = SigningKey::generate().context("make a service key")?;
                    let pem = key.to_pem();
                    write_private(&path, pem.as_bytes())?;
                    key
                }
                Err(error) => return Err(error).with_context(|| path.display().to_string()),
            };
            keys.push(key.public_jwk().for_service(service));
        }
        let jwks = json!({ "keys": keys });
        write_private(&self.service_keys(), jwks.to_string().as_bytes())
    }

    /// What is wrong with who may read what; empty when all is well.
    pub(crate) fn permission_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |path: &Path, wanted: u32| {
            let Ok(metadata) = fs::metadata(path) else {
                return;
            };
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                let path = path.display();
                faults.push(format!(
                    "{path} is open to others (mode {mode:03o}): chmod {wanted:o} {path}"
                ));
            }
        };
        check(&self.path, 0o700);
        check(&self.operator_token_file(), 0o600);
        check(&self.acquirer_token_file(), 0o600);
        check(&self.control(), 0o600);
        for key in fs::read_dir(self.path.join("keys"))
            .into_iter()
            .flatten()
            .flatten()
        {
            check(&key.path(), 0o600);
        }
        faults
    }
}

/// See [`DataDir::first_admin_password`].
pub(crate) struct FirstAdminPassword {
    pending: PathBuf,
    made: PathBuf,
}

impl FirstAdminPassword {
    /// The password while the first admin does not exist yet; then never again.
    pub(crate) fn ensure(&self) -> Result<Option<String>> {
        if self.made.exists() {
            return Ok(None);
        }
        ensure_secret(&self.pending).map(Some)
    }

    /// The admin exists: only its owner knows the password from here on.
    pub(crate) fn taken(&self) -> Result<()> {
        write_private(&self.made, b"")?;
        fs::remove_file(&self.pending).with_context(|| self.pending.display().to_string())
    }
}

/// Written beside and renamed, so that a reader sees the old content or the new.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    write_as(path, content, 0o600)
}

/// The same, for whom `mode` says.
pub(crate) fn write_as(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let write = || -> std::io::Result<()> {
        // Left by a writer that was killed; it may not be one to write to.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(&beside)?;
        file.write_all(content)?;
        fs::rename(&beside, path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

pub(crate) fn make_private_dir(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("make folder {}", path.display()))?;
    // An older folder may be wider open than it should be.
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("make {} private", path.display()))
}

fn ensure_secret(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(secret) if !secret.trim().is_empty() => Ok(secret.trim().to_owned()),
        Ok(_) => make_secret(path),
        Err(error) if error.kind() == ErrorKind::NotFound => make_secret(path),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn make_secret(path: &Path) -> Result<String> {
    let secret = new_secret()?;
    write_private(path, secret.as_bytes())?;
    Ok(secret)
}

/// 160 bits from the system, without letters that look alike.
pub(crate) fn new_secret() -> Result<String> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0u8; 32];
    rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut random)
        .context("the system gives no randomness")?;
    let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
    Ok(random.iter().map(letter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_private_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::named(Some(&dir.path().join("city"))).unwrap();
        let _lock = data.prepare().unwrap();
        let token = data.ensure_operator_token().unwrap();
        let keys = || -> Value {
            data.ensure_service_keys(["users", "catalog"].into_iter())
                .unwrap();
            serde_json::from_slice(&fs::read(data.service_keys()).unwrap()).unwrap()
        };
        let first = keys();
        assert_eq!(token.len(), 32);
        assert_eq!(data.ensure_operator_token().unwrap(), token);
        assert_eq!(data.operator_token().unwrap(), token);
        assert_eq!(keys(), first);
        assert_eq!(first["keys"][0]["service"], "users");
        assert_eq!(mode(data.path()), 0o700);
        assert_eq!(mode(&data.service_key("users")), 0o600);
        assert_eq!(data.permission_faults(), Vec::<String>::new());
        fs::set_permissions(data.service_key("users"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(data.permission_faults().len(), 1);
    }

    #[test]
    fn one_city_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::named(Some(dir.path())).unwrap();
        assert!(!data.in_use());
        let lock = data.prepare().unwrap();
        assert!(data.in_use());
        let error = data.prepare().unwrap_err().to_string();
        assert!(error.contains("already up"), "{error}");
        drop(lock);
        assert!(!data.in_use());
    }

    #[test]
    fn the_first_admins_password_is_kept_only_until_it_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::named(Some(dir.path())).unwrap();
        let password = data.first_admin_password();
        let first = password.ensure().unwrap().unwrap();
        assert_eq!(password.ensure().unwrap(), Some(first));
        password.taken().unwrap();
        assert_eq!(password.ensure().unwrap(), None);
    }
}
