//! Wasm modules on their way to a worker. The shell only carries them: it knows no engine and reads nothing of them.

use staysail_protocol::limits;
use staysail_protocol::module::{ModuleFile, ModuleSpec};
use staysail_protocol::worker::ToWorker;
use staysail_update::store::Release;
use std::sync::Arc;

/// All modules of a backend, as they were verified or read. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modules {
    specs: Vec<ModuleSpec>,
    /// Their bytes, one after the other.
    body: Arc<Vec<u8>>,
}

impl Modules {
    /// Those of a release, hashed just now.
    ///
    /// # Errors
    /// A module is not what was released, or can not be read.
    pub fn of(release: &Release) -> Result<Self, staysail_update::Error> {
        let mut body = Vec::new();
        let specs = release.manifest().modules.iter().map(|(name, module)| {
            let content = release.module(module)?;
            body.extend_from_slice(&content);
            Ok(ModuleSpec {
                name: name.clone(),
                origin: module.file.path.clone(),
                bytes: content.len(),
                limits: module.limits,
            })
        });
        let specs = specs.collect::<Result<_, staysail_update::Error>>()?;
        Ok(Self { specs, body: Arc::new(body) })
    }

    /// Those of a project, as they are on disk now.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn read(files: &[ModuleFile]) -> Result<Self, String> {
        let mut body = Vec::new();
        let mut specs = Vec::new();
        for ModuleFile { name, path, limits } in files {
            let unreadable = |error| format!("the module `{name}`: {path} can not be read: {error}");
            let size = std::fs::metadata(path).map_err(unreadable)?.len();
            if size > limits::MODULE_BYTES_MAX || body.len() as u64 + size > limits::MODULES_BYTES_MAX {
                return Err(format!(
                    "the module `{name}`: {path} is too large (module_bytes_max, modules_bytes_max)"
                ));
            }
            let content = std::fs::read(path).map_err(unreadable)?;
            let (name, origin, bytes) = (name.clone(), path.clone(), content.len());
            specs.push(ModuleSpec { name, origin, bytes, limits: *limits });
            body.extend(content);
        }
        Ok(Self { specs, body: Arc::new(body) })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// The frame that hands them over, or gives them `back`, and its body.
    pub fn frame(&self, back: bool) -> (ToWorker, Vec<u8>) {
        (ToWorker::Modules { modules: self.specs.clone(), back }, self.body.to_vec())
    }
}
