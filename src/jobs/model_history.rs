//! The promotions of a registry, and what is no longer needed of it.

use serde::Serialize;

use super::Progress;
use super::registry::existing;
use crate::error::{Error, Result};
use crate::publish::registry::{Pointer, Promotion, Registry};

/// The promotions of a registry.
#[derive(Debug, Clone, PartialEq)]
pub struct PromotionHistory {
    /// The registry, as messages name it.
    pub registry: String,
    /// All moves of the pointer, the oldest first.
    pub promotions: Vec<ListedPromotion>,
}

/// One promotion, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedPromotion {
    /// The move.
    #[serde(flatten)]
    pub promotion: Promotion,
    /// Whether its model is the promoted one now, by this very move.
    pub promoted: bool,
    /// Whether the model stands: it is promoted, or was and has not been taken back since.
    pub standing: bool,
    /// Whether the model is in the registry.
    pub stored: bool,
}

/// All promotions of a registry.
///
/// # Errors
/// If there is no registry, or its pointer is damaged.
pub async fn promotion_history(registry: &str) -> Result<PromotionHistory> {
    let registry = existing(registry).await?;
    let pointer = registry.promoted().await?.map(|promoted| promoted.pointer);
    let (moves, stack) = match &pointer {
        Some(pointer) => (pointer.moves(), pointer.stack()),
        None => (vec![], vec![]),
    };
    let stored = registry.list().await?;
    let last = moves.len();
    let promotions = (1..)
        .zip(moves)
        .map(|(position, promotion)| ListedPromotion {
            promoted: position == last,
            standing: stack.contains(&promotion.to),
            stored: stored.contains(&promotion.to),
            promotion,
        });
    Ok(PromotionHistory {
        registry: registry.name(),
        promotions: promotions.collect(),
    })
}

/// Goes back to the model that was promoted before the present one, and returns the new pointer. A
/// model that was taken back before is passed over, so that rolling back twice goes back by two.
///
/// # Errors
/// If no model was promoted before, it is gone or damaged, or the pointer moved meanwhile.
pub async fn roll_back(registry: &str) -> Result<Pointer> {
    let registry = existing(registry).await?;
    let standing = registry.promoted().await?;
    let stack = standing.as_ref().map(|standing| standing.pointer.stack());
    let before = stack.as_deref().unwrap_or_default().iter().rev().nth(1);
    let before = before.ok_or_else(|| {
        Error::request("no model was promoted before the present one")
            .object(registry.name())
            .hint("`okuo models list` shows the models; promote one with `okuo models promote ID`")
    })?;
    // A damaged file would stop every night's run from now on.
    registry.load(before).await?;
    registry
        .promote(before, standing.as_ref(), "rolled back by hand")
        .await
}

/// A model that was removed from a registry, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemovedModel {
    /// Its id.
    pub model_id: String,
    /// Whether nights were to be scored with it.
    pub standing: bool,
}

/// How models are removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoveOptions {
    /// Nothing is removed.
    pub dry_run: bool,
    /// Also the model that a rollback would need.
    pub force: bool,
}

/// Removes one model from a registry.
///
/// # Errors
/// If there is no such model, it is the promoted one, or the one that a rollback needs and that is
/// not forced.
pub async fn delete_model(
    registry: &str,
    id: &str,
    options: RemoveOptions,
) -> Result<RemovedModel> {
    let registry = existing(registry).await?;
    registry.check_whole(id).await?;
    registry.card(id).await?;
    let needed = NeededModels::new(&registry).await?;
    needed.refuse(id, options.force)?;
    let removed = needed.removed(id);
    if !options.dry_run {
        registry.delete(id).await?;
    }
    Ok(removed)
}

/// Removes all but the newest `keep` models of a registry. The promoted one stays, and the one that a
/// rollback needs.
///
/// # Errors
/// If there is no registry, `keep` is 0, or a model cannot be removed.
pub async fn prune_models(
    registry: &str,
    keep: usize,
    dry_run: bool,
    progress: &dyn Progress,
) -> Result<Vec<RemovedModel>> {
    if keep == 0 {
        return Err(Error::request("no model would be kept")
            .hint("give --keep 1 or more; the promoted model stays anyway"));
    }
    let registry = existing(registry).await?;
    let mut ids = registry.list().await?;
    let newest = ids.len().saturating_sub(keep);
    ids.truncate(newest);
    let mut removed = vec![];
    for id in ids {
        // Anew for each: the pointer may have moved meanwhile.
        let needed = NeededModels::new(&registry).await?;
        if needed.refuse(&id, false).is_err() {
            continue;
        }
        progress.stage(&format!("removing {id}"));
        if !dry_run {
            registry.delete(&id).await?;
        }
        removed.push(needed.removed(&id));
    }
    Ok(removed)
}

/// The models that the pointer needs.
struct NeededModels {
    pointer: Option<Pointer>,
    stack: Vec<String>,
}

impl NeededModels {
    /// # Errors
    /// If the pointer is damaged: then it is not known which models are needed.
    async fn new(registry: &Registry) -> Result<Self> {
        let pointer = registry.promoted().await?.map(|promoted| promoted.pointer);
        let stack = pointer.as_ref().map(Pointer::stack).unwrap_or_default();
        Ok(Self { pointer, stack })
    }

    /// Refuses to remove the promoted model, and the one before it unless that is forced.
    fn refuse(&self, id: &str, force: bool) -> Result<()> {
        if self
            .pointer
            .as_ref()
            .is_some_and(|pointer| pointer.model_id == id)
        {
            return Err(
                Error::request(format!("the model {id} is the promoted one"))
                    .hint("promote another one first, with `okuo models promote` or `rollback`"),
            );
        }
        let is_before = self
            .stack
            .iter()
            .rev()
            .nth(1)
            .is_some_and(|before| before == id);
        if is_before && !force {
            return Err(
                Error::request(format!("a rollback would need the model {id}"))
                    .hint("--force removes it all the same"),
            );
        }
        Ok(())
    }

    fn removed(&self, id: &str) -> RemovedModel {
        RemovedModel {
            model_id: id.to_owned(),
            standing: self.stack.iter().any(|known| known == id),
        }
    }
}
