//! What a city must have before its first start and keeps in no file of the repository: keys,
//! tokens and passwords, a folder for each who needs them, so that nobody is given another's.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use app::settings::Sources;
use clap::Args;
use identity::SigningKey;
use serde_json::json;

use crate::bank;
use crate::data_dir::{make_private_dir, new_secret, write_as};
use crate::services::{Entry, SERVICES};
use crate::terminal::{out, outln};

/// Its owner alone.
const PRIVATE: u32 = 0o400;
/// Its owner's group too: programs that are not ours run as users of their own.
const LENT: u32 = 0o440;

/// Make what is missing of keys, tokens and passwords, a folder for each service.
#[derive(Args, Debug)]
#[command(after_help = "\
What is there stays as it is. `up` makes its own; this is for containers, where each service is \
given its folder alone. The operator's token is the same in all of them.")]
pub(crate) struct Arguments {
    /// Where the folders are
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print one of them, such as `operator/operator-token`
    #[arg(long, value_name = "FILE")]
    print: Option<PathBuf>,
}

pub(crate) fn command(arguments: &Arguments) -> Result<ExitCode> {
    let keys = Keys(arguments.out.clone());
    if let Some(file) = &arguments.print {
        out!("{}", keys.read(file)?);
        return Ok(ExitCode::SUCCESS);
    }
    let made = keys.ensure()?;
    outln!(
        "{made} made, the rest was there: {}",
        arguments.out.display()
    );
    Ok(ExitCode::SUCCESS)
}

struct Keys(PathBuf);

impl Keys {
    /// Returns how many files were made.
    fn ensure(&self) -> Result<usize> {
        make_private_dir(&self.0)?;
        let mut made = 0;
        let operator = self.secret("operator", "operator-token", PRIVATE, &mut made)?;
        let mut public = Vec::new();
        for entry in SERVICES {
            let key = self.signing_key(entry.name, &mut made)?;
            public.push(key.public_jwk().for_service(entry.name));
            self.same(entry.name, "operator-token", &operator, &mut made)?;
        }
        let jwks = json!({ "keys": public }).to_string();
        self.same("registry", "services.jwks.json", &jwks, &mut made)?;
        self.secret("users", "first-admin-password", PRIVATE, &mut made)?;
        self.secret(bank::NAME, "token", PRIVATE, &mut made)?;
        self.secret("grafana", "admin-password", LENT, &mut made)?;
        self.secret("postgres", "superuser", LENT, &mut made)?;
        for entry in SERVICES {
            if has_tables(entry)? {
                self.secret("postgres", entry.name, LENT, &mut made)?;
            }
        }
        Ok(made)
    }

    fn signing_key(&self, service: &str, made: &mut usize) -> Result<SigningKey> {
        let path = self.file(service, "service.pem", PRIVATE)?;
        if let Some(pem) = content(&path)? {
            return SigningKey::from_pem(&pem).with_context(|| format!("key {}", path.display()));
        }
        let key = SigningKey::generate().context("make a service key")?;
        let pem = key.to_pem();
        write_as(&path, pem.as_bytes(), PRIVATE)?;
        *made += 1;
        Ok(key)
    }

    fn secret(&self, whose: &str, name: &str, mode: u32, made: &mut usize) -> Result<String> {
        let path = self.file(whose, name, mode)?;
        if let Some(secret) = content(&path)? {
            return Ok(secret);
        }
        let secret = new_secret()?;
        write_as(&path, secret.as_bytes(), mode)?;
        *made += 1;
        Ok(secret)
    }

    /// A file that follows from others.
    fn same(&self, whose: &str, name: &str, wanted: &str, made: &mut usize) -> Result<()> {
        let path = self.file(whose, name, PRIVATE)?;
        if content(&path)?.as_deref() != Some(wanted) {
            write_as(&path, wanted.as_bytes(), PRIVATE)?;
            *made += 1;
        }
        Ok(())
    }

    /// Makes its folder, too.
    fn file(&self, whose: &str, name: &str, mode: u32) -> Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = self.0.join(whose);
        make_private_dir(&folder)?;
        if mode == LENT {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o750))
                .with_context(|| format!("open {} to its group", folder.display()))?;
        }
        Ok(folder.join(name))
    }

    fn read(&self, file: &Path) -> Result<String> {
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        if !file.components().all(inside) {
            bail!(
                "{} is not a file within {}",
                file.display(),
                self.0.display()
            );
        }
        let path = self.0.join(file);
        content(&path)?.with_context(|| format!("there is no {}", path.display()))
    }
}

/// Whether it keeps rows that a database server could keep for it.
fn has_tables(entry: &Entry) -> Result<bool> {
    let settings = entry.settings(&Sources::default())?;
    let store = settings
        .iter()
        .find(|setting| setting.key.name == "store_url");
    let url = store.and_then(|setting| setting.default.as_str());
    Ok(url.is_some_and(|url| url.starts_with("sqlite:")))
}

/// None if it is not there, or empty as a write that was cut off leaves it.
fn content(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(content) if content.trim().is_empty() => Ok(None),
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Every file with what it holds and who may read it.
    fn files(root: &Path) -> BTreeMap<PathBuf, (String, u32)> {
        let mut files = BTreeMap::new();
        for folder in fs::read_dir(root).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                let name = path.strip_prefix(root).unwrap().to_owned();
                files.insert(name, (fs::read_to_string(&path).unwrap(), mode));
            }
        }
        files
    }

    #[test]
    fn what_is_made_is_private_and_what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys(folder.path().join("keys"));
        let made = keys.ensure().unwrap();
        let first = files(&keys.0);
        assert_eq!(made, first.len());
        for (name, (content, mode)) in &first {
            let lent = name.starts_with("grafana") || name.starts_with("postgres");
            assert_eq!(
                *mode,
                if lent { LENT } else { PRIVATE },
                "{}",
                name.display()
            );
            assert!(content.len() >= 32, "{}", name.display());
        }
        assert_eq!(keys.ensure().unwrap(), 0);
        assert_eq!(files(&keys.0), first);

        // One is lost: it alone is made again, and what follows from it.
        fs::remove_file(keys.0.join("cart/service.pem")).unwrap();
        assert_eq!(keys.ensure().unwrap(), 2);
        let second = files(&keys.0);
        let changed: Vec<_> = first
            .keys()
            .filter(|name| first[*name] != second[*name])
            .collect();
        assert_eq!(
            changed,
            [
                Path::new("cart/service.pem"),
                Path::new("registry/services.jwks.json")
            ]
        );
    }

    #[test]
    fn only_what_lies_within_is_printed() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys(folder.path().join("keys"));
        keys.ensure().unwrap();
        let token = keys.read(Path::new("operator/operator-token")).unwrap();
        assert_eq!(
            token,
            keys.read(Path::new("orders/operator-token")).unwrap()
        );
        fs::write(folder.path().join("other"), "secret").unwrap();
        for outside in ["../other", "/etc/passwd", "cart/../../other"] {
            assert!(keys.read(Path::new(outside)).is_err(), "{outside}");
        }
        assert!(keys.read(Path::new("nobody/token")).is_err());
    }
}
