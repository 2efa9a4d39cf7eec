//! Where the foreign programs are on this machine.

use std::path::{Path, PathBuf};

use super::{ALERTMANAGER, COLLECTOR, JAEGER, PROMETHEUS};

/// A program that others make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// What it is here, and its job in Prometheus.
    pub(crate) name: &'static str,
    /// What its file may be called, the likelier to have all that is wanted first.
    files: &'static [&'static str],
    /// What `scripts/install-engines` calls it.
    engine: &'static str,
    /// What it gives.
    pub(crate) gives: &'static str,
    /// Where its maker gives it away.
    vendor: &'static str,
}

pub(crate) const PROGRAMS: [Program; 4] = [
    Program {
        name: COLLECTOR,
        // The core distribution is called `otelcol` too, and has no tail sampling.
        files: &["otelcol-contrib", "otelcol"],
        engine: "otelcol",
        gives: "metrics of spans, and a choice of traces to keep",
        vendor: "https://github.com/open-telemetry/opentelemetry-collector-releases/releases \
                 (otelcol-contrib)",
    },
    Program {
        name: JAEGER,
        files: &["jaeger"],
        engine: "jaeger",
        gives: "the traces that were kept, on its page",
        vendor: "https://www.jaegertracing.io/download/ (version 2)",
    },
    Program {
        name: PROMETHEUS,
        files: &["prometheus"],
        engine: "prometheus",
        gives: "metrics and alerts over time",
        vendor: "https://prometheus.io/download/ (version 3)",
    },
    Program {
        name: ALERTMANAGER,
        files: &["alertmanager"],
        engine: "alertmanager",
        gives: "alerts told to people",
        vendor: "https://prometheus.io/download/",
    },
];

impl Program {
    /// Built below the working folder, or in the repository that this program was built in; else
    /// on `PATH`.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        let built = engine_folders()
            .into_iter()
            .find_map(|folder| newest(&folder, self.engine, self.files));
        built.or_else(|| {
            let path = std::env::var_os("PATH")?;
            let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
            let of = |file: &&str| folders.iter().map(|f| f.join(file)).find(|f| f.is_file());
            self.files.iter().find_map(of)
        })
    }

    /// How to get it.
    pub(crate) fn remedy(&self) -> String {
        let Self { engine, vendor, .. } = self;
        format!(
            "scripts/install-engines {engine} in the repository builds it; or put it on PATH: {vendor}"
        )
    }
}

fn engine_folders() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from(".engines")];
    let this = std::env::current_exe().ok();
    // <repository>/target/<profile>/citywatch
    let repository = this.as_deref().and_then(|this| {
        let target = this.ancestors().find(|folder| folder.ends_with("target"))?;
        target.parent()
    });
    folders.extend(repository.map(|repository| repository.join(".engines")));
    folders
}

/// `<folder>/<engine>-<version>/<file>`, once it is built whole.
fn newest(folder: &Path, engine: &str, files: &[&str]) -> Option<PathBuf> {
    let versions = std::fs::read_dir(folder).ok()?.flatten();
    versions
        .filter_map(|entry| {
            let version = entry.file_name();
            let version = version.to_str()?.strip_prefix(engine)?.strip_prefix('-')?;
            let version: Vec<u32> = version.split('.').flat_map(str::parse).collect();
            let built = entry.path().join("built").exists();
            let mut found = files.iter().map(|file| entry.path().join(file));
            Some((version, found.find(|file| built && file.is_file())?))
        })
        .max()
        .and_then(|(_, file)| std::path::absolute(file).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_that_is_built_whole_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        for (version, whole) in [
            ("jaeger-2.9.0", true),
            ("jaeger-2.13.0", true),
            ("jaeger-2.14.0", false),
        ] {
            let folder = folder.path().join(version);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("jaeger"), "").unwrap();
            if whole {
                std::fs::write(folder.join("built"), "").unwrap();
            }
        }
        let found = newest(folder.path(), "jaeger", &["jaeger"]).unwrap();
        assert!(found.ends_with("jaeger-2.13.0/jaeger"), "{found:?}");
        assert_eq!(newest(folder.path(), "prometheus", &["prometheus"]), None);
    }
}
