//! A store in memory for tests, which can stop after a number of operations, as if the process had
//! crashed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::store::{ObjectMeta, Store};

/// What an operation takes by the store's clock.
const OPERATION: Duration = Duration::from_secs(1);

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
    /// Content, tag, and when it was written by the store's clock.
    objects: BTreeMap<String, (Bytes, u64, Duration)>,
    writes: u64,
    now: Duration,
    is_stepwise: bool,
    last_operation: String,
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
            .map(|(key, (content, ..))| (key.clone(), content.clone()))
            .collect()
    }

    /// Puts an object directly, without counting.
    pub(crate) fn set(&self, key: &str, content: impl Into<Bytes>) {
        let mut state = self.state.lock().unwrap();
        state.writes += 1;
        let (tag, now) = (state.writes, state.now);
        state
            .objects
            .insert(key.to_owned(), (content.into(), tag, now));
    }

    /// Lets time pass for the clock of the store.
    pub(crate) fn pass(&self, time: Duration) {
        self.state.lock().unwrap().now += time;
    }

    /// The time of the store's clock.
    pub(crate) fn now(&self) -> Duration {
        self.state.lock().unwrap().now
    }

    /// Lets each operation wait once before it is carried out, so that who polls decides whose is next.
    pub(crate) fn go_stepwise(&self) {
        self.state.lock().unwrap().is_stepwise = true;
    }

    /// What was done last.
    pub(crate) fn last_operation(&self) -> String {
        self.state.lock().unwrap().last_operation.clone()
    }

    async fn turn(&self) {
        let mut is_here = !self.state.lock().unwrap().is_stepwise;
        std::future::poll_fn(|_| match std::mem::replace(&mut is_here, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Removes an object directly.
    pub(crate) fn remove(&self, key: &str) {
        self.state.lock().unwrap().objects.remove(key);
    }

    /// A copy of what is stored, with nothing counted or forbidden.
    pub(crate) fn copy(&self) -> Arc<Self> {
        let copy = Self::new();
        let state = self.state.lock().unwrap();
        copy.pass(state.now);
        copy.state.lock().unwrap().objects = state.objects.clone();
        copy.state.lock().unwrap().writes = state.writes;
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
        state.now += OPERATION;
        operation.clone_into(&mut state.last_operation);
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

fn meta(state: &State, key: &str, (content, tag, written): &(Bytes, u64, Duration)) -> ObjectMeta {
    ObjectMeta {
        key: key.to_owned(),
        size: content.len() as u64,
        etag: tag.to_string(),
        age: Some(state.now.saturating_sub(*written)),
    }
}

#[async_trait]
impl Store for FaultyStore {
    fn name(&self) -> String {
        "memory".into()
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.turn().await;
        let state = self.begin("list", prefix)?;
        let found = state
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix));
        Ok(found
            .map(|(key, object)| meta(&state, key, object))
            .collect())
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.turn().await;
        let state = self.begin("head", key)?;
        Ok(state
            .objects
            .get(key)
            .map(|object| meta(&state, key, object)))
    }

    async fn get(&self, key: &str) -> Result<(Bytes, String)> {
        self.turn().await;
        let state = self.begin("get", key)?;
        let found = state
            .objects
            .get(key)
            .map(|(content, tag, _)| (content.clone(), tag.to_string()));
        found.ok_or_else(|| {
            Error::not_found("there is no such object").object(format!("memory/{key}"))
        })
    }

    async fn put(&self, key: &str, content: Bytes, mode: PutMode) -> Result<String> {
        self.turn().await;
        let mut state = self.begin("put", key)?;
        let tag = state.objects.get(key).map(|(_, tag, _)| tag.to_string());
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
        let (tag, now) = (state.writes, state.now);
        state.objects.insert(key.to_owned(), (content, tag, now));
        Ok(tag.to_string())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.turn().await;
        let mut state = self.begin("delete", key)?;
        if state.forbid_delete {
            return Err(Error::system("AccessDenied").object(format!("memory/{key}")));
        }
        state.objects.remove(key);
        Ok(())
    }
}
