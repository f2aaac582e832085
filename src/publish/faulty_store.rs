//! A store in memory for tests, which can stop after a number of operations, as if the process had
//! crashed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::store::{ObjectMeta, Store};

type Hook = Box<dyn FnMut(&str, &str) + Send>;

/// Objects under keys. Every operation is counted; once the allowed ones are used up, each fails
/// and changes nothing.
#[derive(Default)]
pub(crate) struct FaultyStore {
    state: Mutex<State>,
    hook: Mutex<Option<Hook>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, (Bytes, u64)>,
    writes: u64,
    operations: usize,
    allowed: Option<usize>,
    forbid_delete: bool,
    log: Vec<String>,
}

impl std::fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultyStore")
    }
}

impl FaultyStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Lets this many more operations succeed; with `None`, all of them.
    pub(crate) fn allow(&self, operations: Option<usize>) {
        let mut state = self.state.lock().unwrap();
        state.operations = 0;
        state.allowed = operations;
    }

    pub(crate) fn forbid_delete(&self) {
        self.state.lock().unwrap().forbid_delete = true;
    }

    /// The writes and deletes since the last call, as `put key` and `delete key`.
    pub(crate) fn taken_log(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }

    /// Everything that is stored.
    pub(crate) fn objects(&self) -> BTreeMap<String, Bytes> {
        self.state
            .lock()
            .unwrap()
            .objects
            .iter()
            .map(|(key, (content, _))| (key.clone(), content.clone()))
            .collect()
    }

    /// Puts an object directly, without counting.
    pub(crate) fn set(&self, key: &str, content: impl Into<Bytes>) {
        let mut state = self.state.lock().unwrap();
        state.writes += 1;
        let tag = state.writes;
        state.objects.insert(key.to_owned(), (content.into(), tag));
    }

    /// Removes an object directly.
    pub(crate) fn remove(&self, key: &str) {
        self.state.lock().unwrap().objects.remove(key);
    }

    /// A copy of what is stored, with nothing counted or forbidden.
    pub(crate) fn copy(&self) -> Arc<Self> {
        let copy = Self::new();
        self.objects()
            .into_iter()
            .for_each(|(key, content)| copy.set(&key, content));
        copy
    }

    /// Calls `hook(operation, key)` before each operation, while the store is unlocked: there,
    /// another process may intervene.
    pub(crate) fn before_each(&self, hook: impl FnMut(&str, &str) + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }

    fn begin(&self, operation: &str, key: &str) -> Result<std::sync::MutexGuard<'_, State>> {
        // Taken out while it runs, so that its own operations on this store are not hooked.
        let hook = self.hook.lock().unwrap().take();
        if let Some(mut hook) = hook {
            hook(operation, key);
            self.hook.lock().unwrap().get_or_insert(hook);
        }
        let mut state = self.state.lock().unwrap();
        state.operations += 1;
        if state
            .allowed
            .is_some_and(|allowed| state.operations > allowed)
        {
            return Err(Error::system("the process stopped here"));
        }
        if operation == "put" || operation == "delete" {
            state.log.push(format!("{operation} {key}"));
        }
        Ok(state)
    }
}

#[async_trait]
impl Store for FaultyStore {
    fn name(&self) -> String {
        "memory".into()
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let state = self.begin("list", prefix)?;
        let found = state
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix));
        Ok(found
            .map(|(key, (content, tag))| ObjectMeta {
                key: key.clone(),
                size: content.len() as u64,
                etag: tag.to_string(),
            })
            .collect())
    }

    async fn get(&self, key: &str) -> Result<(Bytes, String)> {
        let state = self.begin("get", key)?;
        let found = state
            .objects
            .get(key)
            .map(|(content, tag)| (content.clone(), tag.to_string()));
        found.ok_or_else(|| {
            Error::not_found("there is no such object").object(format!("memory/{key}"))
        })
    }

    async fn put(&self, key: &str, content: Bytes, mode: PutMode) -> Result<String> {
        let mut state = self.begin("put", key)?;
        let tag = state.objects.get(key).map(|(_, tag)| tag.to_string());
        let allowed = match &mode {
            PutMode::Overwrite => true,
            PutMode::IfAbsent => tag.is_none(),
            PutMode::IfMatch(expected) => tag.as_ref() == Some(expected),
        };
        if !allowed {
            return Err(
                Error::conflict("another writer was faster").object(format!("memory/{key}"))
            );
        }
        state.writes += 1;
        let tag = state.writes;
        state.objects.insert(key.to_owned(), (content, tag));
        Ok(tag.to_string())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let mut state = self.begin("delete", key)?;
        if state.forbid_delete {
            return Err(Error::system("AccessDenied").object(format!("memory/{key}")));
        }
        state.objects.remove(key);
        Ok(())
    }
}
