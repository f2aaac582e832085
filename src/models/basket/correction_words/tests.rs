use super::*;
use crate::features::basket::BASKET_WIDTH;
use crate::models::tree::CorrectionTree;

fn feature(column: usize) -> usize {
    let position = CORRECTION_COLUMNS.iter().position(|it| *it == column);
    position.unwrap()
}

fn product(tree: CorrectionTree) -> ProductTree {
    ProductTree {
        product: "82".to_owned(),
        tree,
        bought: 40,
    }
}

/// Bought again within nine days, and not later; the more so where few similar customers buy it.
fn weekly() -> ProductTree {
    let [last_days, neighbours] =
        [BASKET_COLUMNS.last_days, BASKET_COLUMNS.neighbour_score].map(feature);
    product(CorrectionTree::of_nodes(&[
        (last_days, 9.0, 0.0),
        (neighbours, 0.125, 0.0),
        (0, 0.0, 1.2),
        (0, 0.0, 0.4),
        (0, 0.0, -0.8),
    ]))
}

#[test]
fn the_largest_corrections_both_ways_are_said_at_the_strength_applied() {
    let words = in_words(&weekly(), 0.5).unwrap();
    assert_eq!(
        words,
        CorrectionInWords {
            product_id: "82".to_owned(),
            product_name: None,
            odds: 1.8221,
            words: "product 82 is bought more often (odds × 1.82) up to 9 days after it was last \
                    bought (or if it never was) and where similar customers have it in up to 12 % of \
                    their baskets, and less often (odds × 0.67) over 9 days after it was last bought"
                .to_owned(),
        }
    );
    let named = words.named("Müsli,\n500 g");
    assert_eq!(named.product_name.as_deref(), Some("Müsli,\n500 g"));
    assert!(
        named.words.starts_with(
            "product 82 (Müsli, 500 g) is bought more often (odds × 1.82) up to 9 days"
        ),
        "{}",
        named.words
    );
    // At hardly any strength there is nothing to say.
    assert_eq!(in_words(&weekly(), 0.01), None);
}

#[test]
fn a_tree_of_one_leaf_is_always_so() {
    let tree = CorrectionTree::of_nodes(&[(0, 0.0, -0.5)]);
    let words = in_words(&product(tree), 1.0).unwrap().words;
    assert_eq!(words, "product 82 is bought less often (odds × 0.61)");
}

#[test]
fn of_a_row_only_what_can_be_so_is_said() {
    let model = crate::models::examples::tiny_model("2017-10-31".parse().unwrap(), 1);
    let basket = model.basket.with_trees([weekly()].into_iter(), 0.5);
    let row_of = |last_days, last_visits| {
        let mut row = [0.0; BASKET_WIDTH];
        row[BASKET_COLUMNS.last_days] = last_days;
        row[BASKET_COLUMNS.last_visits] = last_visits;
        row
    };
    let when = |row: &[f32]| basket.applied_correction(&[Some(0)], 0, row).unwrap().when;
    let similar = "where similar customers have it in up to 12 % of their baskets";
    assert_eq!(
        when(&row_of(5.0, 2.0)),
        format!("up to 9 days after it was last bought and {similar}")
    );
    assert_eq!(
        when(&row_of(0.0, MISSING)),
        format!("up to 9 days after it was last bought (or if it never was) and {similar}")
    );
    // Trees that are not applied have nothing to say.
    let silent = basket.clone().with_trees([weekly()].into_iter(), 0.0);
    assert_eq!(
        silent.applied_correction(&[Some(0)], 0, &row_of(5.0, 2.0)),
        None
    );
}

#[test]
fn a_row_falls_into_the_leaf_whose_ranges_hold_it() {
    let tree = weekly().tree;
    for leaf in tree.every_leaf() {
        let value = |feature: usize| {
            let range = leaf
                .ranges
                .iter()
                .find(|it| usize::from(it.feature) == feature);
            range.map_or(0.0, |it| {
                it.up_to.unwrap_or_else(|| it.above.unwrap_or(0.0) + 1.0)
            })
        };
        assert_eq!(tree.leaf(value), leaf);
        assert_eq!(tree.correction(value), leaf.value);
    }
    assert_eq!(tree.every_leaf().len(), tree.leaves());
}

#[test]
fn every_feature_has_words() {
    for (feature, column) in (0_u16..).zip(CORRECTION_COLUMNS) {
        let ranges = [
            (Some(1.5), None),
            (None, Some(1.5)),
            (Some(1.5), Some(2.25)),
        ];
        for (above, up_to) in ranges {
            let range = FeatureRange {
                feature,
                above,
                up_to,
            };
            let words = range_in_words(&range, true);
            let name = BASKET_FEATURES[column].name;
            assert!(
                !words.contains("where ") || !words.contains(name),
                "{words}"
            );
        }
    }
    let days = |above, up_to| {
        weekdays(&FeatureRange {
            feature: 0,
            above,
            up_to,
        })
    };
    assert_eq!(days(None, Some(1.5)), "from Monday to Tuesday");
    assert_eq!(days(Some(4.5), None), "from Saturday to Sunday");
    assert_eq!(days(Some(4.5), Some(5.0)), "on a Saturday");
    assert_eq!(
        [0.123, 1.25, 9.0, 10.4].map(number),
        ["0.12", "1.2", "9", "10"]
    );
}

#[test]
fn the_largest_corrections_come_first_and_hold_both_ways() {
    let of = |id: &str, value: f32| ProductTree {
        product: id.to_owned(),
        ..product(CorrectionTree::of_nodes(&[(0, 0.0, value)]))
    };
    let trees = [of("a", 0.5), of("b", -1.5), of("c", 0.01), of("d", 1.0)];
    let model = crate::models::examples::tiny_model("2017-10-31".parse().unwrap(), 1);
    let basket = model.basket.with_trees(trees.into_iter(), 1.0);
    let ids = |most| {
        let corrections = basket.largest_corrections(most);
        corrections
            .into_iter()
            .map(|it| it.product_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(5), ["b", "d", "a"]);
    assert_eq!(ids(2), ["b", "d"]);
}
