//! The pointer to the promoted model, and the history of its moves.
//!
//! Two lists follow from the history. A model that was promoted and then taken back, by a rollback or
//! by promoting an older one, is in neither.

use serde::{Deserialize, Serialize};

use super::model_night;
use crate::calendar::AsOf;

/// The content of `latest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The promoted model.
    pub model_id: String,
    /// The model that it replaced.
    pub previous: Option<String>,
    /// All moves of the pointer, the oldest first. An okuo that kept no history writes none; what it
    /// promoted is known by the two fields above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Promotion>,
}

/// One move of the pointer. It has no time of day: an object's store keeps when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// The night up to which the promoted model was trained.
    pub date: Option<AsOf>,
    /// The model that was promoted before.
    pub from: Option<String>,
    /// The model that has been promoted.
    pub to: String,
    /// Why, in a sentence.
    pub reason: String,
}

impl Promotion {
    fn new(from: Option<&str>, to: &str, reason: &str) -> Self {
        Self {
            date: model_night(to),
            from: from.map(str::to_owned),
            to: to.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

impl Pointer {
    /// The pointer after it was moved from `before` to a model.
    pub(super) fn moved(before: Option<&Self>, to: &str, reason: &str) -> Self {
        let from = before.map(|before| before.model_id.as_str());
        let mut history = before.map(Self::moves).unwrap_or_default();
        history.push(Promotion::new(from, to, reason));
        Self {
            model_id: to.to_owned(),
            previous: from.map(str::to_owned),
            history,
        }
    }

    /// The moves that led to the promoted model, as far as they are known.
    #[must_use]
    pub fn moves(&self) -> Vec<Promotion> {
        let mut moves = self.history.clone();
        if moves.last().is_none_or(|last| last.to != self.model_id) {
            let reason = "promoted by an okuo that kept no reasons";
            let previous = self.previous.as_deref();
            moves.push(Promotion::new(previous, &self.model_id, reason));
        }
        moves
    }

    /// The models that stand behind each other, the promoted one last. A rollback goes to the one
    /// before the last. A model that was taken back is left out.
    #[must_use]
    pub fn stack(&self) -> Vec<String> {
        let moves = self.moves();
        let first = moves.first().and_then(|first| first.from.as_ref());
        let mut stack: Vec<String> = vec![];
        for id in first.into_iter().chain(moves.iter().map(|each| &each.to)) {
            match stack.iter().position(|known| known == id) {
                Some(position) => stack.truncate(position + 1),
                None => stack.push(id.clone()),
            }
        }
        stack
    }

    /// The newest model of the [`stack`](Self::stack) that was not trained on days after the night;
    /// `None` if there is none. Models below one of an earlier or the same night are left out: that
    /// one was promoted in their place.
    #[must_use]
    pub fn model_for(&self, night: AsOf) -> Option<String> {
        let mut upper: Option<AsOf> = None;
        for id in self.stack().into_iter().rev() {
            let Some(trained) = model_night(&id) else {
                continue;
            };
            if upper.is_some_and(|upper| trained >= upper) {
                continue;
            }
            if trained <= night {
                return Some(id);
            }
            upper = Some(trained);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNE: &str = "2024-06-30-000000000001";
    const JULY: &str = "2024-07-31-000000000002";
    const JULY_AGAIN: &str = "2024-07-31-000000000003";
    const AUGUST: &str = "2024-08-31-000000000004";

    fn promoted(ids: &[&str]) -> Pointer {
        let mut pointer: Option<Pointer> = None;
        for id in ids {
            pointer = Some(Pointer::moved(pointer.as_ref(), id, "better"));
        }
        pointer.unwrap()
    }

    fn model_for(pointer: &Pointer, night: &str) -> Option<String> {
        pointer.model_for(night.parse().unwrap())
    }

    #[test]
    fn a_night_has_the_newest_model_that_was_not_trained_after_it() {
        let pointer = promoted(&[JUNE, JULY, AUGUST]);
        for (night, expected) in [
            ("2024-06-29", None),
            ("2024-06-30", Some(JUNE)),
            ("2024-07-30", Some(JUNE)),
            ("2024-07-31", Some(JULY)),
            ("2024-12-24", Some(AUGUST)),
        ] {
            assert_eq!(model_for(&pointer, night).as_deref(), expected, "{night}");
        }
    }

    #[test]
    fn a_model_that_was_taken_back_or_replaced_is_used_no_longer() {
        let back = promoted(&[JUNE, JULY, AUGUST, JULY]);
        assert_eq!(back.stack(), [JUNE, JULY]);
        assert_eq!(model_for(&back, "2024-09-10").as_deref(), Some(JULY));
        let again = promoted(&[JUNE, JULY, AUGUST, JULY, AUGUST]);
        assert_eq!(again.stack(), [JUNE, JULY, AUGUST]);
        // The same night trained anew takes the place of the model before it.
        let anew = promoted(&[JUNE, JULY, JULY_AGAIN]);
        assert_eq!(model_for(&anew, "2024-08-10").as_deref(), Some(JULY_AGAIN));
        assert_eq!(model_for(&anew, "2024-07-10").as_deref(), Some(JUNE));
        // An older night that was promoted on purpose stands for all later ones.
        let older = promoted(&[JULY, AUGUST, JUNE]);
        assert_eq!(model_for(&older, "2024-09-10").as_deref(), Some(JUNE));
        assert_eq!(older.stack(), [JULY, AUGUST, JUNE]);
    }

    #[test]
    fn a_pointer_of_an_earlier_okuo_knows_the_promoted_model_and_the_one_before() {
        let text = format!("{{\"model_id\": \"{JULY}\", \"previous\": \"{JUNE}\"}}");
        let earlier: Pointer = serde_json::from_str(&text).unwrap();
        assert_eq!(earlier.stack(), [JUNE, JULY]);
        assert_eq!(model_for(&earlier, "2024-07-10").as_deref(), Some(JUNE));
        let later = Pointer::moved(Some(&earlier), AUGUST, "better");
        assert_eq!(later.stack(), [JUNE, JULY, AUGUST]);
        let reasons: Vec<&str> = later.history.iter().map(|it| it.reason.as_str()).collect();
        assert_eq!(
            reasons,
            ["promoted by an okuo that kept no reasons", "better"]
        );
    }
}
