//! The page of features.

use super::{MarkdownTable, code, sentence};
use crate::features::Feature;
use crate::features::basket::BASKET_FEATURES;
use crate::features::timing::TIMING_FEATURES;

const INTRODUCTION: &str = "\
# Features

The numbers that the models see, in the order of a row. All are computed from the purchases up to
the night alone. A value that is not known is −1. `okuo explain --json` has the values of a
customer. [How the models work](../explanation/models.md) says what becomes of them.
[Add a feature](../how-to/add-a-feature.md) shows how to add one.

";

pub(super) fn page() -> String {
    let timing = table(&TIMING_FEATURES);
    let basket = table(&BASKET_FEATURES);
    format!(
        "{INTRODUCTION}## Timing features\n\nAbout a customer and a day: will the next purchase be on \
         that day? The *eve* is the day before it. Recent purchases are those of the last 120 days.\n\n\
         {timing}## Basket features\n\nAbout a customer and a product: will the next basket have it?\n\n\
         {basket}"
    )
}

fn table(features: &[Feature]) -> String {
    let mut table = MarkdownTable::new(&["feature", "unit", "meaning"]);
    for feature in features {
        table.row(vec![
            code(feature.name),
            feature.unit.name().to_owned(),
            sentence(feature.doc),
        ]);
    }
    table.text()
}
